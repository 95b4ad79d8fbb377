"""Acts that cannot be undone: asked on a page of their own, done only for the right name."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.web.console.sure import ACTS, plain
from tests.fakes.gateway import RunningGateway, running
from tests.web.test_matrix import Victim
from tests.web.test_security_settings import Browser

FIRM = "/console/organisations/{firm}"
# Where an act is asked about, the name to type, and what holds until it is done.
Case = tuple[str, str, Callable[["Things"], Awaitable[bool]]]


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running(tmp_path / "data") as one:
        yield one


class Things(Victim):
    """Somebody's things, and a second member of their organisation."""

    async def make(self) -> "Things":
        await super().make()
        self.other = await self.people.accounts.create("other@example.com")
        await self.platform.organisations.put(self.account, self.shared, self.other, "owner")
        return self

    def named(self, text: str) -> str:
        return text.format(
            key=self.key.id,
            firm=self.shared.id,
            other=self.other.id,
            invitation=self.invitation.id,
            email=self.other.email,
        )

    async def key_lives(self) -> bool:
        return (await self.platform.keys.named(self.key.id)).revoked_us is None

    async def is_in(self) -> bool:
        return self.account.no in self.shared.members

    async def other_is_in(self) -> bool:
        return self.other.no in self.shared.members

    async def owns(self) -> bool:
        return self.shared.members[self.account.no].part == "owner"

    async def waits(self) -> bool:
        return len(await self.platform.invitations.waiting(self.shared)) == 1


CASES: list[Case] = [
    ("/console/keys/{key}/revoke", "theirs", Things.key_lives),
    ("/console/keys/{key}/leaked", "theirs", Things.key_lives),
    (FIRM + "/leave", "Theirs", Things.is_in),
    (FIRM + "/members/{other}/remove", "{email}", Things.other_is_in),
    (FIRM + "/transfer?member={other}", "Theirs", Things.owns),
]


async def things(gateway: RunningGateway) -> tuple[Things, Browser]:
    made = await Things(gateway).make()
    return made, Browser(gateway, made.token)


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
async def test_only_the_right_name_does_it(gateway: RunningGateway, case: Case) -> None:
    made, one = await things(gateway)
    path, name, holds = made.named(case[0]), made.named(case[1]), case[2]
    status, text = await one.get(path)
    assert status == 200 and f"Type “{name}” to confirm" in text and await holds(made)
    assert 'role="alert"' not in text
    for wrong in ("", name[:-1], name.swapcase(), f"{name}x"):
        status, text = await one.post(path, confirm=wrong)
        assert status == 422 and await holds(made), wrong
        field = re.search(r'<input id="confirm"[^>]*>', text)
        assert field is not None and 'aria-invalid="true"' in field[0]
        assert 'aria-describedby="confirm-note"' in field[0]
        assert re.search(r'<p class="problem" id="confirm-note" role="alert">\w', text)
    status, _ = await one.post(path)
    assert status == 200 and await holds(made)  # it asks
    status, where = await one.post(path, confirm=f" {name} ")
    assert status == 303 and not await holds(made), where


async def test_a_light_act_asks_without_a_name(gateway: RunningGateway) -> None:
    made, one = await things(gateway)
    path = made.named(FIRM + "/invitations/{invitation}/withdraw")
    status, text = await one.get(path)
    assert status == 200 and "guest@example.com" in text and 'id="confirm"' not in text
    assert (await one.post(path))[0] == 200 and await made.waits()
    assert (await one.post(path, confirm="yes"))[0] == 303 and not await made.waits()
    assert (await one.get(path))[0] == 404
    invited = await made.platform.invitations.invite(made.account, made.shared, "you@example.com")
    you = await made.people.accounts.create("you@example.com")
    guest = Browser(gateway, await made.people.sessions.open(you))
    decline = f"/console/invitations/{invited.id}/decline"
    assert (await one.get(decline))[0] == 404  # it is not theirs
    assert "Theirs" in (await guest.get(decline))[1] and await made.waits()
    assert (await guest.post(decline, confirm="yes"))[0] == 303 and not await made.waits()


async def test_a_key_replaced_at_once_is_asked_about(gateway: RunningGateway) -> None:
    made, one = await things(gateway)
    path = f"/console/keys/{made.key.id}/rotate"
    status, text = await one.post(path, grace="0")
    assert status == 200 and "sk-tg-" not in text and 'name="grace" value="0"' in text
    assert (await one.post(path, grace="0", confirm="another"))[0] == 422
    assert await made.key_lives()
    status, text = await one.post(path, grace="0", confirm="theirs")
    assert status == 200 and re.search(r"sk-tg-\w{43}", text) and not await made.key_lives()


@pytest.mark.parametrize(
    ("shown", "typed"),
    [("a  b", "a b"), ("a b", "a\u00a0 b "), ("caf\u00e9", "cafe\u0301"), ("x", " x\t")],
)
def test_a_name_is_what_a_page_shows_of_it(shown: str, typed: str) -> None:
    assert plain(shown) == plain(typed)


def test_a_name_is_not_another() -> None:
    names: list[Any] = ["ab", "a b", "Ab", "a", "b", ""]
    assert len({plain(name) for name in names}) == len(names)
    assert all(act.button and act.warning.endswith(".") for act in ACTS.values())
