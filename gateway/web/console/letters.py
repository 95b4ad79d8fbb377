"""Letters in words: the templates of mail, rendered when a letter is sent.

Links are made from the operator's own address of this gateway, never from a request's Host, which
anybody can choose. Text only: nothing in it can be fetched, run or track.
"""

from pathlib import Path
from urllib.parse import quote

from gateway.platform.mail import Letter, Written
from gateway.web.console import i18n
from gateway.web.console.drawing import describe_agent, environment
from gateway.web.console.lifetimes import LIFETIMES
from gateway.web.console.operator import Operator

_ROOM = Path(__file__).parent / "templates" / "mail"
_PATHS = {
    "confirm": "/confirm/",
    "reset": "/reset/",
    "address": "/settings/address/",
    "invitation": "/invitations/",
    "guardian_asked": "/guardian/",
    "guardian_confirmed": "/guardian/",
}


class Letters:
    """Renders letters for one address of the gateway, and whoever runs it."""

    def __init__(self, base_url: str, operator: Operator | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._operator = operator or Operator()
        self._environment = environment(_ROOM, autoescape=False)  # plain text, no markup
        self._environment.globals["device"] = describe_agent

    def write(self, letter: Letter) -> Written:
        """A letter's subject and text, in its reader's language."""
        path = _PATHS.get(letter.kind)
        link = f"{self._base_url}{path}{quote(letter.token)}" if path and letter.token else ""
        template = self._environment.get_template(f"{letter.kind}.txt")
        context = template.new_context(
            {
                "link": link,
                "base": self._base_url,
                "values": letter.values,
                "lifetimes": LIFETIMES,
                "operator": self._operator,
            }
        )
        with i18n.speaking(i18n.LANGUAGES.get(letter.locale, i18n.LANGUAGES[i18n.SOURCE])):
            subject = "".join(template.blocks["subject"](context)).strip()
            text = "".join(template.blocks["text"](context)).strip()
        return Written(subject, text + "\n", link)
