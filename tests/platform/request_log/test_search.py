"""Filtered pages and series of one account, against the same questions asked of plain lists."""

from collections import Counter
from pathlib import Path

import pytest

from gateway.platform.request_log import search as room
from gateway.platform.request_log.applications import (
    OTHER,
    Application,
    Applications,
    applications_of,
    read_application,
    written_application,
)
from gateway.platform.request_log.query import LoggedRequest, totals
from gateway.platform.request_log.record import Attempt, read_trail, written_trail
from gateway.platform.request_log.search import Found, Wanted, newest_seq, search
from gateway.platform.request_log.series import (
    Cut,
    last_failed_hour,
    models_of,
    rest_of,
    series,
)
from tests.fakes.books import Books, make_row

HOUR_US = 3_600_000_000
START_US = 500_000 * HOUR_US
MODELS = ("alpha", "beta", "gamma")
APPS = ("", "https://app.example App", " ")


async def fill(books: Books, count: int = 120) -> None:
    """Requests of two accounts over some hours; ids carry their times as real ones do."""
    for n in range(count):
        at_us = START_US + n * HOUR_US // 5
        row = make_row(
            f"req_{at_us // 1000:012x}{n:016x}",
            1 + (n % 4 == 3),
            started_us=at_us,
            model=MODELS[n % 3],
            key_no=1 + n % 2,
            outcome="upstream_failed" if n % 10 == 0 else "completed",
            application=APPS[n % 5 % 3],
        )
        books.settlements.submit(None, row, lambda: None)
    await books.settled()


async def pages(books: Books, wanted: Wanted, limit: int = 7) -> list[LoggedRequest]:
    found: list[LoggedRequest] = []
    before: int | None = None
    while True:
        page: Found = await books.database.read(
            lambda c, b=before: search(c, 1, wanted, before_seq=b, limit=limit)  # type: ignore[misc]
        )
        found += page.rows
        if page.next_seq is None:
            return found
        before = page.next_seq


@pytest.mark.parametrize("scanned", [5, 20_000])
@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted(model="beta"),
        Wanted(key_no=2, failed=False),
        Wanted(failed=True),
        Wanted(from_us=START_US + 5 * HOUR_US),
        Wanted(until_us=START_US + 9 * HOUR_US, model="alpha"),
        Wanted(from_us=START_US + 3 * HOUR_US, until_us=START_US + 4 * HOUR_US),
        Wanted(model="none"),
        Wanted(application=APPS[1]),
        Wanted(application=APPS[2], key_no=1),
    ],
)
async def test_pages_are_the_rows_that_are_wanted(
    where: Path | str, wanted: Wanted, scanned: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However short the walk for one page is, following the pages shows every row once."""
    monkeypatch.setattr(room, "SCANNED", scanned)
    async with Books(where) as books:
        await fill(books)
        every = await pages(books, Wanted(), 1_000)
        assert len(every) == 90 and {entry.row.account_no for entry in every} == {1}
        assert await books.database.read(lambda c: newest_seq(c, 1)) == every[0].seq

        def fits(entry: LoggedRequest) -> bool:
            row = entry.row
            return (
                (wanted.model in (None, row.model))
                and (wanted.key_no in (None, row.key_no))
                and (wanted.application in (None, row.application))
                and (wanted.failed in (None, row.outcome == "upstream_failed"))
                and (wanted.from_us is None or row.started_us >= wanted.from_us)
                and (wanted.until_us is None or row.started_us < wanted.until_us)
            )

        assert await pages(books, wanted) == list(filter(fits, every))


async def test_series_are_the_sums_of_the_rows(where: Path | str) -> None:
    async with Books(where) as books:
        await fill(books)
        rows = [entry.row for entry in await pages(books, Wanted(), 1_000)]
        first, last = START_US // HOUR_US, START_US // HOUR_US + 30
        cut = Cut(1, first, last)
        for hours in (1, 24):
            points = await books.database.read(
                lambda c, h=hours: series(c, cut, group="model", hours_a_bucket=h)
            )
            assert sum(point.requests for point in points) == len(rows)
            for point in points:
                same = [
                    row
                    for row in rows
                    if (row.started_us // HOUR_US // hours, row.model)
                    == (point.bucket, point.group)
                ]
                assert point.requests == len(same)
                assert point.cost_microusd == sum(row.cost_microusd for row in same)
                assert point.failures == sum(row.outcome == "upstream_failed" for row in same)
        [whole] = await books.database.read(
            lambda c: series(c, cut._replace(key_no=1), group=None, hours_a_bucket=24 * 400)
        )
        assert whole.requests == sum(row.key_no == 1 for row in rows)
        failed = [row.started_us // HOUR_US for row in rows if row.outcome == "upstream_failed"]
        assert await books.database.read(lambda c: last_failed_hour(c, cut)) == max(failed)
        empty = Cut(1, last + 50, last + 60)
        assert await books.database.read(lambda c: last_failed_hour(c, empty)) is None
        assert await books.database.read(lambda c: models_of(c, cut)) == list(MODELS)
        with pytest.raises(ValueError):
            await books.database.read(lambda c: series(c, Cut(1, 0, 9_000), group=None))


async def test_applications_are_summed_apart(where: Path | str) -> None:
    async with Books(where) as books:
        await fill(books)
        rows = [entry.row for entry in await pages(books, Wanted(), 1_000)]
        first = START_US // HOUR_US
        read = books.database.read
        for cut in (
            Cut(1, first, first + 30),
            Cut(1, first + 5, first + 9, model="beta"),
            Cut(1, first, first + 30, key_no=2),
            Cut(1, first, first + 30, key_nos=frozenset({1})),
        ):
            mine = [
                row
                for row in rows
                if cut.from_hour <= row.started_us // HOUR_US < cut.until_hour
                and cut.model in (None, row.model)
                and cut.key_no in (None, row.key_no)
                and (cut.key_nos is None or row.key_no in cut.key_nos)
            ]
            by = await read(lambda c, cut=cut: series(c, cut, group="application"))
            whole = await read(lambda c, cut=cut: series(c, cut, group=None))
            for point in [*by, *rest_of(whole, by)]:
                same = [row for row in mine if row.application == point.group]
                same = [row for row in same if row.started_us // HOUR_US // 24 == point.bucket]
                assert (point.requests, point.output_tokens) == (len(same), 50 * len(same))
                assert point.failures == sum(row.outcome == "upstream_failed" for row in same)
            assert sum(point.requests for point in [*by, *rest_of(whole, by)]) == len(mine)
            named = await read(lambda c, cut=cut: applications_of(c, cut))
            counts = Counter(row.application for row in mine if row.application)
            assert named == sorted(counts, key=lambda text: (-counts[text], text))
        summed = await read(
            lambda c: totals(
                c, from_hour=first, until_hour=first + 30, group_by=("application",), account_no=1
            )
        )
        assert {each.group[0]: each.requests for each in summed} == {
            text: sum(row.application == text for row in rows) for text in APPS[1:]
        }
        with pytest.raises(ValueError):
            await read(
                lambda c: totals(c, from_hour=0, until_hour=1, group_by=("application", "provider"))
            )
        assert (await books.verify()).findings == []


def test_an_application_is_read_as_it_was_written() -> None:
    for title, site in (("My App", "https://a.example"), ("x  y", ""), ("", "http://b")):
        assert read_application(written_application(title, site)) == (title, site)
    assert written_application("", "") == "" and read_application("") is None
    assert read_application(OTHER) == ("", "") and Application("", "").shown == ""
    assert Application("My App", "https://a.example").shown == "My App \u00b7 https://a.example"


def test_so_many_applications_count_in_a_day() -> None:
    day_us = 24 * HOUR_US
    known = Applications(most=2, most_known=3)
    assert [known.counted(1, 0, text) for text in ("a", "b", "c", "a")] == ["a", "b", OTHER, "a"]
    assert [known.counted(2, 0, text) for text in ("a", "b")] == ["a", OTHER]
    assert known.counted(1, day_us, "c") == "c"
    # One that began before midnight and ends after it takes of the new day.
    assert [known.counted(1, day_us - 1, text) for text in ("d", "e")] == ["d", OTHER]


async def test_series_seek_by_hour_and_not_through_other_accounts(tmp_path: Path) -> None:
    async with Books(tmp_path / "t.db") as books:

        def plan(connection):  # type: ignore[no-untyped-def]
            asked = []
            connection.connection.driver_connection.set_trace_callback(asked.append)
            series(connection, Cut(1, 10, 20), group="model")
            connection.connection.driver_connection.set_trace_callback(None)
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[-1]}").all()
            return [row[-1] for row in rows]

        steps = await books.database.read(plan)
        assert any("(hour=? AND account_no=?)" in step for step in steps), steps


def test_a_trail_is_stored_as_it_is() -> None:
    trail = [Attempt("up", "m", 0, 120, "upstream_timeout"), Attempt("up2", "m", 120, 130, "x")]
    assert read_trail(written_trail(trail)) == trail
    assert written_trail([]) == "" and read_trail("") == []
