"""What forms are refused for and what checks find, in the reader's language.

The rooms refuse in English, for the command line too. Those sentences that people meet on pages
stand here, in `catalog_refusals` and in `report_findings` once more, with a name for each value in
them; whatever else a room says stays English and is marked as such. A sentence that no room says
fails the tests, and one that a room says and that has no words here, unless the test names it as
one that no page shows.
"""

import re
from functools import cache
from typing import Final, NamedTuple

from gateway.web.console import catalog_refusals, i18n, report_findings
from gateway.web.spoken import spoken

SENTENCES: Final = (
    spoken("your role does not allow this"),
    spoken("the amount of an adjustment must be above zero"),
    spoken("an adjustment needs a reason of at most %(count)s printable characters"),
    spoken("what is taken back is a positive amount"),
    spoken("there is not so much left of that credit, or running requests hold it"),
    spoken("the transaction %(name)s gave this account no credit"),
    spoken("it was decided already, or you asked for it yourself"),
    spoken("this form was sent before with other content; open the page again"),
    spoken("the form is not from this page; open it again"),
    spoken("there is no such source of credit"),
    spoken("not an amount in USD with at most six decimals: %(text)s"),
    spoken("not an e-mail address: %(text)s"),
    spoken("the account %(email)s exists already"),
    spoken("no account %(email)s; create it: tallygate accounts create %(address)s"),
    spoken("such addresses are organisations'; found one: tallygate organisations"),
    spoken("an organisation's name is 1 to %(count)s printable characters"),
    spoken("an organisation's name is no link and no address"),
    spoken("an organisation needs an owner"),
    spoken("only people are members of an organisation"),
    spoken("an organisation has at most %(count)s members"),
    spoken("an account owns at most %(count)s organisations"),
    spoken("there is no such part in an organisation"),
    spoken("that account is not a member"),
    spoken("a limit is zero or more"),
    spoken("a price that rises is announced %(count)s days ahead; choose a later day"),
    spoken("a price is scheduled at most a year ahead"),
    spoken("no price is scheduled"),
    spoken("the model has no price to stay with"),
    spoken("a date is written YEAR-MONTH-DAY"),
    spoken("there is a model %(name)s already"),
    spoken("there is a provider %(name)s already"),
    spoken("%(name)s is a whole number"),
    spoken("write one [[models]] table, that of %(name)s"),
    spoken("the interval of health checks is a whole number of seconds"),
    spoken("enter the key again: the present one is kept for its own address"),
    spoken("no model is served by this provider yet; add one, then test it"),
    spoken("this provider speaks none of the endpoints that a test can ask"),
    spoken("a head is written NUMBER:64-HEX-DIGITS, as `audit export` prints it"),
    # Of adjustments.
    spoken("there is no adjustment %(name)s"),
    spoken("there is no such way to take credit back"),
    # Of ages, and of people who are forgotten.
    spoken("the account is closed for good"),
    spoken("nothing can be spent with this account for now"),
    spoken("no consent is waited for"),
    spoken("an organisation has no age"),
    spoken("the day is after today, and within %(count)s days"),
    spoken("a reason is 1 to %(count)s printable characters"),
    spoken("a proof of age was asked for already"),
    spoken("no proof of age is asked for"),
    spoken("somebody else must do this to your account"),
    spoken("the account has a role here; make it a member first"),
    spoken(
        "the organisation %(name)s has other members and no other owner; hand its ownership over "
        "first"
    ),
    # Of keys.
    spoken("the key has ended; make a new one"),
    spoken("the key has been replaced already"),
    spoken("the key's owner has left; make a new one"),
    # Of organisations.
    spoken("your part in the organisation does not allow this"),
    spoken("ownership goes to another active member"),
    spoken("at most %(count)s invitations wait at once"),
    spoken("the invitation is unknown, over or was used"),
    spoken("there is no invitation %(name)s"),
    spoken("whoever invited you may not do so any more"),
    spoken("you are a member already"),
    # Of incidents.
    spoken("it is either an incident or maintenance"),
    spoken("a title is 1 to %(count)s printable characters"),
    spoken("a text is 1 to %(count)s printable characters, in lines"),
    spoken("a reason is 1 to %(count)s printable characters"),
    spoken("a time is written YEAR-MONTH-DAYTHOUR:MINUTE, in UTC"),
    spoken("at most %(count)s models are named; none stands for all"),
    spoken("the catalog has no model %(name)s"),
    spoken("it began at most %(count)s days ago"),
    spoken("an incident has begun; what is to come is maintenance"),
    spoken("maintenance begins within a year"),
    spoken("maintenance ends after it begins, within %(count)s days"),
    spoken("an incident ends after it began and not later than now"),
    spoken("it is over already"),
    spoken("it was withdrawn already"),
    spoken("what has not begun is withdrawn, not ended"),
    spoken("there are %(count)s updates already; enter it anew"),
    # Of review cases.
    spoken("there is no such finding"),
    spoken("the case was closed already"),
    *catalog_refusals.SENTENCES,
    *report_findings.SENTENCES,
)
VALUE: Final = re.compile(r"%\((\w+)\)s")
INNER: Final = "what"  # the value that is a refusal itself
DEPTH: Final = 8  # refusals within each other; no room's has more than six
_WIDE: Final = ("zh", "ja")  # their full stop is a wide one


class Said(NamedTuple):
    """A refusal for a page; `english` where there are no other words for it."""

    text: str
    english: bool


def said(refusal: str) -> Said:
    """A room's refusal in the language spoken now."""
    text, source = _told(refusal), i18n.language().code == i18n.SOURCE
    if text is None:
        return Said(refusal, not source)
    if source:
        text = refusal
    stop = "" if text.endswith(("?", "？")) else "。" if i18n.language().code in _WIDE else "."
    return Said(text[:1].upper() + text[1:] + stop, False)


def _told(refusal: str, depth: int = DEPTH) -> str | None:
    """The words for a refusal; None where it, or one within it, has none."""
    for sentence, pattern in _patterns() if depth else ():
        found = pattern.fullmatch(refusal)
        if found is None:
            continue
        values: dict[str, str | None] = found.groupdict()
        if INNER in values:
            values[INNER] = _told(found[INNER], depth - 1)
        if None not in values.values():
            return i18n.gettext(sentence) % values
    return None


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    found = []
    for sentence in SENTENCES:
        parts = VALUE.split(sentence)  # text, name, text, name, ...
        texts = [
            f"(?P<{part}>{catalog_refusals.SHAPES.get(part, '.+')})" if n % 2 else re.escape(part)
            for n, part in enumerate(parts)
        ]
        found.append((sentence, re.compile("".join(texts), re.S)))
    found += [(said, re.compile(text, re.S)) for text, said in catalog_refusals.REWORDED]
    return tuple(found)
