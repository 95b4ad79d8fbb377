"""Options and checks that hold for every test: no blocked event loop, counts of long runs."""

import asyncio
import os
from collections.abc import Callable

import pytest
import uvloop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop the gateway runs on is the loop it is tested on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def crash_rounds() -> int:
    """Rounds of kill -9: few in the ordinary run, a hundred in `make crash`."""
    return int(os.environ.get("CRASH_ROUNDS", "8"))
