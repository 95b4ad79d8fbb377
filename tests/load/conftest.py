"""One mock upstream for the tests of this folder; each test names its requests by id."""

from collections.abc import Iterator

import pytest

from benchmarks.load.upstream import Upstream


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running
