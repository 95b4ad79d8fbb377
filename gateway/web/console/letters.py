"""Letters in words: the templates of mail, rendered when a letter is sent.

Links are made from the operator's own address of this gateway, never from a request's Host, which
anybody can choose. Text only: nothing in it can be fetched, run or track.
"""

from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.platform.mail import Letter, Written
from gateway.web.console.render import describe_agent, moment

_ROOM = Path(__file__).parent / "templates" / "mail"
_PATHS = {"confirm": "/confirm/", "reset": "/reset/", "address": "/settings/address/"}


class Letters:
    """Renders letters for one address of the gateway."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._environment = Environment(  # plain text: there is no markup to escape
            loader=FileSystemLoader(_ROOM),
            autoescape=False,  # noqa: S701
            undefined=StrictUndefined,
            trim_blocks=True,
        )
        self._environment.filters["moment"] = moment
        self._environment.globals["device"] = describe_agent

    def write(self, letter: Letter) -> Written:
        """A letter's subject and text."""
        path = _PATHS.get(letter.kind)
        link = f"{self._base_url}{path}{quote(letter.token)}" if path and letter.token else ""
        template = self._environment.get_template(f"{letter.kind}.txt")
        context = template.new_context(
            {"link": link, "base": self._base_url, "values": letter.values}
        )
        subject = "".join(template.blocks["subject"](context)).strip()
        text = "".join(template.blocks["text"](context)).strip()
        return Written(subject, text + "\n", link)
