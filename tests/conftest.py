"""Options and checks that hold for every test: no blocked event loop, counts of long runs."""

import asyncio
import os

import pytest
import uvloop


@pytest.fixture(scope="session")
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """The loop the gateway runs on is the loop it is tested on."""
    return uvloop.EventLoopPolicy()


@pytest.fixture
def crash_rounds() -> int:
    """Rounds of kill -9: few in the ordinary run, a hundred in `make crash`."""
    return int(os.environ.get("CRASH_ROUNDS", "8"))
