"""Data URLs (RFC 2397) of files: `data:<media type>;base64,<data>`; other forms are refused."""

from typing import NamedTuple

from gateway.base.errors import Untranslatable


class Inline(NamedTuple):
    """A file inside a request: its media type and its base64."""

    media_type: str
    data: str


def read_data_url(url: str, param: str) -> Inline | None:
    """The file in a data URL; None for an address. Raises Untranslatable for other data URLs."""
    if url[:5].lower() != "data:":
        return None
    head, comma, data = url[5:].partition(",")
    media_type, *parameters = head.split(";")
    if not comma or not media_type or "base64" not in parameters:
        raise Untranslatable("A data URL must name its media type and be base64.", param=param)
    return Inline(media_type.lower(), data)


def write_data_url(media_type: str, data: str) -> str:
    """The data URL of a file."""
    return f"data:{media_type};base64,{data}"
