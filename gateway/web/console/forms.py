"""Forms: the fields of a posted form, each bounded; nothing is trusted and nothing is decided."""

from urllib.parse import parse_qs

from aiohttp import web

MAX_FIELDS = 60


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


async def read_form(request: web.Request) -> Form:
    """The form of a request; what is not one has no fields."""
    body = (await request.read()).decode("utf-8", "replace")
    try:
        return Form(parse_qs(body, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        return Form({})
