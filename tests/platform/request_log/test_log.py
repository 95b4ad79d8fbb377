"""The request log: rows come back as written, pages are stable, rollups equal the rows."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.platform.request_log import query, rollup
from gateway.platform.request_log.record import written_units
from gateway.platform.request_log.rollup import MAX_RATIO_PPM, PPM, ratio_ppm
from tests.fakes.books import Books, make_row

HOUR_US = 3_600_000_000


async def write(books: Books, count: int, account_no: int = 1, **changes: object) -> list[str]:
    ids = [books.submit(None, account_no, **changes) for _ in range(count)]
    await books.settled()
    return ids


async def test_a_row_comes_back_as_it_was_written(where: Path | str) -> None:
    async with Books(where) as books:
        row = make_row(
            "req_x",
            5,
            first_token_ms=0,
            reported_input_tokens=None,
            reported_output_tokens=0,
            measured_input_tokens=None,
            measured_exact=False,
            stream=False,
            error_code="upstream_timeout",
            model="a 'quoted' model; \u4e2d\u6587",
        )
        books.settlements.submit(None, row, lambda: None)
        await books.settled()
        found = await books.database.read(lambda c: query.find(c, "req_x"))
        assert found is not None
        assert found.row == row
        assert type(found.row.stream) is bool
        assert await books.database.read(lambda c: query.find(c, "req_y")) is None


async def test_pages_are_newest_first_and_stable_while_rows_arrive(where: Path | str) -> None:
    async with Books(where) as books:
        mine = await write(books, 25)
        await write(books, 5, account_no=2)
        seen: list[str] = []
        before: int | None = None
        while True:
            page = await books.database.read(
                lambda c, b=before: query.newest(c, account_no=1, before_seq=b, limit=10)
            )
            if not page:
                break
            seen += [entry.row.id for entry in page]
            before = page[-1].seq
            await write(books, 3)
        assert seen == mine[::-1]


async def test_filters_narrow_and_limits_bound(where: Path | str) -> None:
    async with Books(where) as books:
        await write(books, 3, key_no=7, model="a")
        await write(books, 2, key_no=8, model="b")
        read = books.database.read
        assert len(await read(lambda c: query.newest(c, key_no=7))) == 3
        assert len(await read(lambda c: query.newest(c, model="b", account_no=1))) == 2
        assert await read(lambda c: query.newest(c, model="a", key_no=8)) == []
        assert len(await read(lambda c: query.newest(c, limit=0))) == 1


async def test_totals_group_the_hours(where: Path | str) -> None:
    async with Books(where) as books:
        await write(books, 3, model="a")
        await write(books, 1, model="a", outcome="upstream_failed", status=502)
        books.clock.advance(3_600)
        await write(books, 2, model="b")
        first = books.clock.now_us() // HOUR_US - 1
        read = books.database.read
        by_model = await read(
            lambda c: query.totals(c, from_hour=first, until_hour=first + 2, group_by=("model",))
        )
        assert [(t.group, t.requests, t.failures, t.input_tokens) for t in by_model] == [
            (("a",), 4, 1, 400),
            (("b",), 2, 0, 200),
        ]
        (only,) = await read(lambda c: query.totals(c, from_hour=first, until_hour=first + 1))
        assert (only.group, only.requests) == ((), 4)
        (none,) = await read(lambda c: query.totals(c, from_hour=0, until_hour=1))
        assert (none.requests, none.cost_microusd) == (0, 0)
        assert await read(lambda c: query.last_used_hour(c, 1, 0)) == {1: first + 1}
        with pytest.raises(ValueError, match="group by some of"):
            await read(lambda c: query.totals(c, from_hour=0, until_hour=1, group_by=("id",)))
        assert (await books.verify()).findings == []


async def test_drift_is_found_beyond_its_limit_only(where: Path | str) -> None:
    async with Books(where) as books:
        same = {"reported_output_tokens": 100, "measured_output_tokens": 100}
        more = {"reported_output_tokens": 130, "measured_output_tokens": 100}
        await write(books, 30, provider="honest", **same)
        await write(books, 15, provider="generous", **same)
        await write(books, 15, provider="generous", **more)
        await write(books, 19, provider="rare", **more)
        await write(books, 30, provider="silent", **{**more, "reported_output_tokens": None})
        found = await books.database.read(lambda c: rollup.drift(c, 50_000))
        assert [(d.provider, d.requests, d.ratio_ppm) for d in found] == [
            ("generous", 30, 1_150_000)
        ]
        assert found[0].deviation_ppm == 150_000
        assert await books.database.read(lambda c: rollup.drift(c, 150_000)) == []
        assert (await books.verify()).findings == []


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1))
def test_ratios_are_bounded(reported: int, measured: int) -> None:
    ratio = ratio_ppm(reported, measured)
    assert 0 <= ratio <= MAX_RATIO_PPM
    if reported == measured:
        assert ratio == PPM


async def test_units_are_summed_by_hour_and_name(where: Path | str) -> None:
    async with Books(where) as books:
        await write(books, 3, units=written_units((("image", 2), ("audio_hour", 1_500))))
        await write(books, 1, units=written_units((("image", 1),)))
        await write(books, 1)
        totals = await books.database.read(
            lambda c: query.unit_totals(c, from_hour=0, until_hour=2**40, account_no=1)
        )
        assert totals == {"audio_hour": 4_500, "image": 7}
        assert not (await books.verify()).findings
