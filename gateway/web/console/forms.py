"""Forms: the fields of a posted form, each bounded; nothing is trusted and nothing is decided."""

from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qs

from aiohttp import web

MAX_FIELDS = 60
MAX_KEPT: Final = 4_000
SECRET: Final = frozenset({"password", "api_key", "code", "link", "once"})  # never sent back


class Form:
    """The fields of one posted form; of a repeated name the first counts."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        self._fields = fields

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def text(self, name: str) -> str:
        """A field as it was typed, or empty."""
        return self._fields.get(name, [""])[0]

    def ticked(self, name: str) -> bool:
        """Whether a box was ticked."""
        return bool(self.text(name))


FORM: web.RequestKey[Form] = web.RequestKey("form", Form)


async def read_form(request: web.Request) -> Form:
    """The form of a request; what is not one has no fields."""
    body = (await request.read()).decode("utf-8", "replace")
    try:
        form = Form(parse_qs(body, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        form = Form({})
    request[FORM] = form
    return form


def kept(request: web.Request, status: int) -> Callable[..., str]:
    """What fields begin with: what was typed where a form was refused, or else the default.

    Nobody has to type a form twice; what is secret is not sent back.
    """
    form: Form | None = request.get(FORM) if status == 422 else None

    def value(name: str, default: str = "") -> str:
        if form is None or name not in form or name in SECRET:
            return default
        return form.text(name)[:MAX_KEPT]

    return value
