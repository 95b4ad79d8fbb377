"""Asking first: the page between a destructive act and its being done; it needs no JavaScript.

Page and act have one address and one handler: it shows the page until the form on it comes back.
What cannot be undone, or hits somebody else, is confirmed by typing a name; another one is refused
beside the field and nothing happens. A light act needs the button alone, one that takes trust away
the password. `ACTS` has the words; a handler names its row.
"""

import unicodedata
from collections.abc import Mapping
from typing import Final, NamedTuple

from aiohttp import web

from gateway.platform.refusals import Problem
from gateway.web.console.forms import read_form
from gateway.web.console.render import Pages
from gateway.web.spoken import spoken

CONFIRM: Final = "confirm"  # the field of what was typed


class Act(NamedTuple):
    """What a page asks: the words of its button and heading, and what will happen."""

    button: str
    warning: str
    typed: bool = True


class Fact(NamedTuple):
    """A line about an act; `ours`: the value is a message, too."""

    label: str
    value: str
    ours: bool = False


class Matter(NamedTuple):
    """What an act is about: the name that is typed, where to go instead, what its form carries on.

    `password`: it is asked for, too; `is_agent`: the name is what a browser calls itself.
    """

    name: str
    back: str
    carried: Mapping[str, str] = {}
    facts: tuple[Fact, ...] = ()
    password: bool = False
    is_agent: bool = False


ACTS: Final = {
    "key.revoke": Act(
        spoken("Revoke the key"),
        spoken("Requests with this key are refused from now on. This cannot be undone."),
    ),
    "key.leaked": Act(
        spoken("End the leaked key"),
        spoken("The key ends at once, and you see what was done with it in the last 30 days."),
    ),
    "key.replace": Act(
        spoken("Make a new key in its place"),
        spoken("This key ends at once: programs are refused until they have the new one."),
    ),
    "organisation.leave": Act(
        spoken("Leave the organisation"), spoken("Your keys in this organisation end at once.")
    ),
    "organisation.transfer": Act(
        spoken("Hand the ownership over"),
        spoken("You become a manager. Only the new owner can hand it back."),
    ),
    "organisation.suspend": Act(
        spoken("Suspend now"),
        spoken(
            "Every request with a key of this organisation is refused from now on. "
            "Its members' own accounts go on."
        ),
    ),
    "member.remove": Act(
        spoken("Remove from the organisation"), spoken("Removing ends the keys they have here.")
    ),
    "invitation.withdraw": Act(
        spoken("Withdraw the invitation"), spoken("The link in the letter stops working."), False
    ),
    "invitation.decline": Act(
        spoken("Decline the invitation"),
        spoken("You do not become a member. You can be invited again."),
        False,
    ),
    "account.suspend": Act(
        spoken("Suspend now"),
        spoken("Every request and every session of this account is refused from now on."),
    ),
    "account.sessions": Act(
        spoken("Sign out everywhere"), spoken("All sessions of this account end."), False
    ),
    "account.role": Act(
        spoken("Change the role"),
        spoken("What the account may do changes at once, and it has to sign in again."),
        False,
    ),
    "account.purge": Act(
        spoken("Purge the data of a minor"),
        spoken(
            "The account is closed for good. Its keys and sessions end at once, and everything "
            "that names the person is deleted. Payments stay in the ledger without a name, free "
            "credit is taken back, and purchased credit stays owed. This cannot be undone."
        ),
    ),
    "credit.back": Act(
        spoken("Take credit back"), spoken("It stands in the ledger and is never changed.")
    ),
    "adjustment.approve": Act(
        spoken("Approve"), spoken("The credit is given at once and stands in the ledger."), False
    ),
    "adjustment.take": Act(
        spoken("Approve"), spoken("The credit is taken at once. This cannot be undone.")
    ),
    "adjustment.refuse": Act(
        spoken("Refuse"), spoken("Nothing is booked. Whoever asked can only ask anew."), False
    ),
    "price.keep": Act(spoken("Keep the present price"), spoken("The present price stays."), False),
    "session.end": Act(
        spoken("End the session"), spoken("The device has to sign in again."), False
    ),
    "session.all": Act(
        spoken("End all sessions, this one too"),
        spoken("Every device has to sign in again, this one too."),
        False,
    ),
    "factor.remove": Act(
        spoken("Remove the second factor"),
        spoken("It is no longer asked for when you sign in."),
        False,
    ),
    "identity.remove": Act(
        spoken("Unlink the account"),
        spoken("It no longer signs you in here. The account at the other site stays as it is."),
        False,
    ),
    "codes.renew": Act(
        spoken("Make new recovery codes"), spoken("The codes you have now stop working."), False
    ),
}


async def unsure(
    pages: Pages, request: web.Request, act: str, matter: Matter
) -> web.Response | None:
    """The page that asks; None once its form came back with what it asks for."""
    form = await read_form(request)
    if request.method != "POST" or CONFIRM not in form:
        return ask(pages, request, act, matter)
    if ACTS[act].typed and plain(form.text(CONFIRM)) != plain(matter.name):
        return ask(pages, request, act, matter, Problem("confirm", "other"))
    return None


def ask(
    pages: Pages, request: web.Request, act: str, matter: Matter, problem: Problem | None = None
) -> web.Response:
    """The page that asks, and what its form was refused for."""
    return pages.render(
        request,
        "sure.html",
        status=200 if problem is None else 422,
        act=ACTS[act],
        matter=matter,
        problem=problem,
    )


def plain(text: str) -> str:
    """A name as a page shows it: blanks in a row are one, letters with accents are whole."""
    return " ".join(unicodedata.normalize("NFC", text).split())
