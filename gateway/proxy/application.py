"""Which application calls: read from the headers that clients of gateways send for this.

`HTTP-Referer` (or the browser's own `Referer`) names its site, `X-OpenRouter-Title` or `X-Title`
its title, as OpenRouter's documentation has it. Of the address only scheme and host are taken: in a
path, a query or a user's name there may be somebody's data. Whatever stands in these headers, a
short line comes out. They are read here and go no further.
"""

import re
from collections.abc import Mapping

from gateway.platform.request_log.applications import written_application

TITLES = (b"x-openrouter-title", b"x-title")  # of two the first counts
ADDRESSES = (b"http-referer", b"referer")
TITLE_CHARS = 64
_READ_CHARS = 1024  # of a title, before blanks are taken out
_SITE = re.compile(
    rb"(https?://[a-z0-9][a-z0-9._-]{0,252})(?::[0-9]{0,5})?(?:[/?#]|\Z)", re.IGNORECASE
)


def named_application(headers: Mapping[bytes, bytes]) -> str:
    """The application as the log keeps it; empty for none."""
    title = next((headers[name] for name in TITLES if headers.get(name)), b"")
    address = next((headers[name] for name in ADDRESSES if headers.get(name)), b"")
    return written_application(title_of(title), site_of(address))


def title_of(value: bytes) -> str:
    """One line of at most TITLE_CHARS printable characters; bytes that are no UTF-8 are Latin-1."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    text = text[:_READ_CHARS]
    if not text.isprintable():  # also what turns the direction of a line, and lone surrogates
        text = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(text.split())[:TITLE_CHARS].rstrip()


def site_of(value: bytes) -> str:
    """Scheme and host of a web address, in lower case; empty for anything else."""
    found = _SITE.match(value)
    return found[1].decode().lower() if found is not None else ""
