"""Which value of each row of the policy table holds, and what decided it.

A number that a setting changes is the setting's, in the row's unit and rounded up, so that what is
said of it is never shorter than what is kept; every other is the software's own.
"""

from typing import Any, Final, NamedTuple

from gateway.base.config import Settings
from gateway.base.policy import NUMBERS, Number, Stated

FIXED: Final = "fixed"  # the software has no other value


class Standing(NamedTuple):
    """A number as it holds. `source` is that of its setting, or FIXED; `given` by the operator."""

    number: Number
    value: int
    source: str
    given: bool

    @property
    def is_loose(self) -> bool:
        """Whether it promises less than the strictest that a known policy states."""
        return bool(self.number.stated) and self.number.loosens(self.value)

    @property
    def said(self) -> dict[tuple[str, int], list[Stated]]:
        """What the known policies state, by whose it is and its value: a text or two each."""
        found: dict[tuple[str, int], list[Stated]] = {}
        for each in self.number.stated:
            found.setdefault((each.policy, each.value), []).append(each)
        return found


def in_force(settings: Settings) -> dict[str, Standing]:
    """Every number by its name, in the table's order."""
    sources = {setting.name: value for setting, value in settings.rows()}
    found: dict[str, Standing] = {}
    for number in NUMBERS:
        if not number.setting:
            found[number.name] = Standing(number, number.strict, FIXED, False)
            continue
        given = sources[number.setting]
        value = -(-int(given.value) // number.per)
        found[number.name] = Standing(number, value, given.source, given.given)
    return found


def report(settings: Settings) -> dict[str, Any]:
    """The whole table as it holds, for machines."""
    return {
        "preset": settings.policy_preset,
        "numbers": [
            {
                "name": name,
                "value": each.value,
                "unit": each.number.unit,
                "source": each.source,
                "setting": each.number.setting or None,
                "meaning": each.number.meaning,
                "strict": each.number.strict,
                "loose": each.is_loose,
                "stated": [
                    {"policy": one.policy, "value": one.value, "where": one.where}
                    for one in each.number.stated
                ],
            }
            for name, each in in_force(settings).items()
        ],
    }
