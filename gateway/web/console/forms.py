"""Forms: the fields of a posted form, each bounded; nothing is trusted and nothing is decided."""

from typing import Final, NamedTuple
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

    def kept(self) -> dict[str, str]:
        """The fields that are not secret, each cut to what a page gives back."""
        return {name: self.text(name)[:MAX_KEPT] for name in self._fields if name not in SECRET}


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


class Kept(NamedTuple):
    """What fields begin with: what was typed where a form was refused, or else the default.

    Nobody has to type a form twice; what is secret is not sent back. A plain value, since pages may
    be drawn in another process.
    """

    typed: dict[str, str]

    def __call__(self, name: str, default: str = "") -> str:
        """What the field of this name begins with."""
        return self.typed.get(name, default)


def kept(request: web.Request, status: int) -> Kept:
    """What is kept of this request's form by an answer of this status."""
    form: Form | None = request.get(FORM) if status == 422 else None
    return Kept({} if form is None else form.kept())
