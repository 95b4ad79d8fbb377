"""Who runs this place and where to write to them, as the settings `operator.*` say."""

from typing import NamedTuple

from gateway.base.config import Settings


class Operator(NamedTuple):
    """The operator as pages and letters name them; both are empty where nothing was set.

    `contact` is an e-mail address or a link, which the settings have checked.
    """

    name: str = ""
    contact: str = ""

    @property
    def href(self) -> str:
        """The contact as the address of a link; empty where there is none."""
        if not self.contact or "://" in self.contact:
            return self.contact
        return f"mailto:{self.contact}"


def operator_of(settings: Settings) -> Operator:
    """The operator of the settings."""
    return Operator(settings.operator_name.strip(), settings.operator_contact)
