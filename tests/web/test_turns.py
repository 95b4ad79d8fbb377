"""Requests begin in the order they came, so many in a turn of the loop, and none is forgotten."""

import asyncio
from pathlib import Path

import pytest

from gateway.web.turns import AT_ONCE, Turns
from tests.fakes.gateway import chat, running
from tests.fakes.upstream import FakeUpstream


class Peer:
    """What a connection is to this room."""

    def __init__(self) -> None:
        self.closed = False


class Served:
    """The numbers of what has begun."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.turns = Turns(asyncio.get_running_loop(), self._serve)
        self.peers: list[Peer] = []
        self.failing = -1

    def _serve(self, _: Peer, number: int) -> None:
        self.numbers.append(number)
        if number == self.failing:
            raise ValueError("the pipeline's own")

    def ask(self, number: int) -> None:
        peer = Peer()
        self.peers.append(peer)
        self.turns.serve(peer, number)


async def turn() -> None:
    """Let one turn of the loop pass."""
    await asyncio.sleep(0)


async def test_so_many_begin_in_one_turn_in_the_order_they_came() -> None:
    served = Served()
    for number in range(3 * AT_ONCE):
        served.ask(number)
    assert served.numbers == list(range(AT_ONCE))
    await turn()
    for number in range(3 * AT_ONCE, 3 * AT_ONCE + 5):  # behind those that wait
        served.ask(number)
    assert served.numbers == list(range(2 * AT_ONCE))
    await turn()
    assert served.numbers == list(range(3 * AT_ONCE))
    await turn()
    await turn()
    assert served.numbers == list(range(3 * AT_ONCE + 5))
    for number in range(AT_ONCE):  # and all may begin at once again
        served.ask(number)
    assert len(served.numbers) == 4 * AT_ONCE + 5


async def test_who_has_left_takes_no_turn() -> None:
    served = Served()
    for number in range(3 * AT_ONCE):
        served.ask(number)
    for peer in served.peers[AT_ONCE : 2 * AT_ONCE]:
        peer.closed = True
    await turn()
    assert served.numbers == [*range(AT_ONCE), *range(2 * AT_ONCE, 3 * AT_ONCE)]


async def test_one_that_fails_does_not_hold_up_the_others() -> None:
    served, heard = Served(), []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: heard.append(what))
    served.failing = AT_ONCE + 3
    for number in range(4 * AT_ONCE):
        served.ask(number)
    for _ in range(6):
        await turn()
    assert served.numbers == list(range(4 * AT_ONCE))
    assert [str(each["exception"]) for each in heard] == ["the pipeline's own"]


@pytest.mark.parametrize("stream", [False, True])
async def test_many_at_once_are_all_served(
    tmp_path: Path, upstream: FakeUpstream, stream: bool
) -> None:
    number = 6 * AT_ONCE
    async with running(tmp_path / "data", upstream) as gateway:
        asked = [gateway.post(chat(stream=stream)) for _ in range(number)]
        answers = await asyncio.gather(*asked)
        assert [answer.status for answer in answers] == [200] * number
        newest, *_ = await gateway.rows()
        assert newest["seq"] == number
        await gateway.assert_nothing_leaked()
