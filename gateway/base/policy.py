"""The policy table: every number that this place promises, and which policy says so where.

A number that the legal pages state, or that one of the known policies promises and the software
keeps, is a row here and nowhere else: the rooms that keep it and the pages that say it read it from
here or from the setting that the row names. A preset is one of those policies; `strict` takes of
each number the strictest that any of them states, and what a preset's own policy does not state
stays strict in it. A row that no setting changes has one value in every preset. Versions and dates
of texts are no rows. It knows no settings, no page and no room.
"""

from typing import Final, Literal, NamedTuple

STRICT: Final = "strict"
# The policies that are known, by the name of their preset, and who published them.
POLICIES: Final = {
    "tokenmix": "TokenMix",
    "tokensmind": "TokenSmind",
    "ainexus": "AI Nexus",
    "alltoken": "AllToken",
}
PRESETS: Final = (STRICT, *POLICIES)
# What makes a change of the texts a material one (AI Nexus, privacy 9.2).
CLASSES: Final = ("data", "purposes", "parties", "transfers", "retention", "rights")
Class = Literal["data", "purposes", "parties", "transfers", "retention", "rights", ""]
Document = Literal["privacy", "terms"]
Unit = Literal["years", "days", "hours", "minutes", ""]


class Stated(NamedTuple):
    """What a policy states: its number in the row's unit, in which text and section.

    The section is empty where that text numbers none.
    """

    policy: str
    value: int
    document: Document
    section: str

    @property
    def where(self) -> str:
        """The text and the section, as the command line says them."""
        return f"{self.document} {self.section}".strip()


class Number(NamedTuple):
    """One row. `own` is the software's number where no policy states one.

    `setting` names the setting that the operator changes it by, `per` how many of the setting's
    units are one of the row's. `about` is the class of material change that another value is.
    """

    name: str
    unit: Unit
    meaning: str
    stricter: Literal["lower", "higher", "same"]
    stated: tuple[Stated, ...] = ()
    own: int = 0
    setting: str = ""
    per: int = 1
    about: Class = ""

    @property
    def strict(self) -> int:
        """The strictest that a policy states; the software's own where none does."""
        values = [each.value for each in self.stated] or [self.own]
        return min(values) if self.stricter == "lower" else max(values)

    def of(self, preset: str) -> int:
        """The value in a preset."""
        values = [each.value for each in self.stated if each.policy == preset]
        if not values:
            return self.strict
        return min(values) if self.stricter == "lower" else max(values)

    def loosens(self, value: int) -> bool:
        """Whether a value promises less than the strictest."""
        if self.stricter == "lower":
            return value > self.strict
        return value < self.strict if self.stricter == "higher" else value != self.strict


NUMBERS: Final = (
    Number(
        "minimum_age",
        "years",
        "Least age that is attested at sign-up.",
        "higher",
        (
            Stated("tokenmix", 13, "privacy", "12"),
            Stated("tokenmix", 13, "terms", "2"),
            Stated("tokensmind", 13, "privacy", ""),
            Stated("ainexus", 18, "privacy", "8.1"),
            Stated("alltoken", 18, "privacy", "10"),
        ),
        setting="accounts.minimum_age",
        about="rights",
    ),
    Number(
        "session_days",
        "days",
        "A sign-in, and with it its cookie, ends after this time.",
        "lower",
        (Stated("tokenmix", 7, "privacy", "8"), Stated("ainexus", 30, "privacy", "7.1")),
        setting="accounts.session_days",
        about="retention",
    ),
    Number(
        "choice_days",
        "days",
        "The cookies of language and theme are kept for this time.",
        "lower",
        (Stated("tokenmix", 365, "privacy", "8"),),
        about="retention",
    ),
    Number(
        "cookies",
        "",
        "Cookies that pages set, by their names.",
        "lower",
        (Stated("tokenmix", 3, "privacy", "8"),),
        about="data",
    ),
    Number(
        "bcrypt_cost",
        "",
        "Cost of a password's bcrypt hash.",
        "higher",
        (Stated("ainexus", 12, "privacy", "3.3"),),
        setting="accounts.bcrypt_cost",
    ),
    Number(
        "encryption_bits",
        "",
        "Bits of the AES keys that seal addresses, profiles and secrets.",
        "higher",
        (Stated("ainexus", 256, "privacy", "3.3"), Stated("alltoken", 256, "privacy", "6")),
    ),
    Number(
        "price_notice_days",
        "days",
        "A price that rises is announced this long ahead.",
        "higher",
        (Stated("tokenmix", 7, "terms", "4.4"),),
        about="rights",
    ),
    Number(
        "policy_notice_days",
        "days",
        "A material change of the legal texts is told this long ahead.",
        "higher",
        (
            Stated("tokenmix", 14, "privacy", "15"),
            Stated("tokenmix", 14, "terms", "20"),
            Stated("ainexus", 30, "privacy", "9.1"),
        ),
        setting="policy.notice_days",
        about="rights",
    ),
    Number(
        "breach_hours",
        "hours",
        "Time to notify the authority, and persons at high risk, of a breach.",
        "lower",
        (Stated("tokenmix", 72, "privacy", "10"), Stated("ainexus", 72, "privacy", "3.4")),
        about="rights",
    ),
    Number(
        "microusd_per_usd",
        "",
        "Units of credit that are one US dollar.",
        "same",
        (Stated("tokenmix", 1_000_000, "terms", "4.1"),),
        about="rights",
    ),
    Number(
        "languages",
        "",
        "Languages of pages, letters and these texts.",
        "higher",
        (Stated("ainexus", 6, "privacy", "1.1"),),
        about="rights",
    ),
    Number(
        "cache_hours",
        "hours",
        "The most that an answer stays in the response cache, for whoever asks for it.",
        "lower",
        own=24,
        setting="cache.max_ttl_s",
        per=3_600,
        about="retention",
    ),
    Number(
        "spread_networks",
        "",
        "A key that more networks than this use is looked at by a person; 0: none is.",
        "lower",
        own=20,
        setting="keys.spread_networks",
        about="data",
    ),
    Number(
        "spread_hours",
        "hours",
        "The time in which networks of a key are counted.",
        "lower",
        own=24,
        setting="keys.spread_window_hours",
        about="data",
    ),
    Number(
        "confirm_hours",
        "hours",
        "A link that confirms an address works this long.",
        "lower",
        own=48,
    ),
    Number(
        "reset_minutes",
        "minutes",
        "A link that resets a password works this long.",
        "lower",
        own=60,
    ),
    Number(
        "guess_limit",
        "",
        "Tries at the password of one account within the time below.",
        "lower",
        own=10,
    ),
    Number(
        "guess_minutes",
        "minutes",
        "Time within which tries at a password are counted.",
        "higher",
        own=15,
    ),
    Number(
        "playground_minutes", "minutes", "A key of the playground lives this long.", "lower", own=10
    ),
)
_BY_NAME: Final = {number.name: number for number in NUMBERS}


def strict(name: str) -> int:
    """The strictest value of a number by its name."""
    return _BY_NAME[name].strict


def presets_of(preset: str) -> dict[str, int]:
    """What a preset sets: the values, by the settings' names. Own numbers are no preset's."""
    return {
        number.setting: number.of(preset) * number.per
        for number in NUMBERS
        if number.setting and number.stated
    }
