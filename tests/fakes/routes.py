"""Catalogs whose one model `m` has several providers on loopback as its targets."""

import contextlib
from collections.abc import AsyncIterator, Sequence

from tests.fakes.upstream import FakeUpstream

PROVIDER = """
[[providers]]
name = "up{number}"
base_url = "http://127.0.0.1:{port}/v1"
allow_private_address = true
{provider}
"""
MODEL = """
[[models]]
name = "{name}"
context_tokens = 100000
max_output_tokens = 10000
encoding = "o200k_base"
{model}
"""
TARGET = """
[[models.targets]]
provider = "up{number}"
model = "{name}-up{number}"
{target}
"""
PRICE = '[models.price]\ninput = "1"\noutput = "2"\n'
KEY = 'api_key = "sk-upstream-secret"'


def providers(fakes: Sequence[FakeUpstream], lines: str = KEY) -> str:
    """A provider up0, up1 ... for each fake."""
    return "".join(
        PROVIDER.format(number=number, port=fake.port, provider=lines)
        for number, fake in enumerate(fakes)
    )


def model(
    numbers: Sequence[int], *, name: str = "m", lines: str = "", targets: Sequence[str] = ()
) -> str:
    """A model served by those providers; `targets` are further lines of each target."""
    text = MODEL.format(name=name, model=lines)
    for place, number in enumerate(numbers):
        more = targets[place] if place < len(targets) else ""
        text += TARGET.format(number=number, name=name, target=more)
    return text + PRICE


@contextlib.asynccontextmanager
async def fakes(count: int) -> AsyncIterator[list[FakeUpstream]]:
    """So many providers, stopped at the end."""
    started = [await FakeUpstream().start() for _ in range(count)]
    try:
        yield started
    finally:
        for fake in started:
            await fake.stop()
