"""Usage over any range, whole days and parts of days: the sums of the rows that lie in it."""

import random
from pathlib import Path

from gateway.platform.request_log.record import RequestRow
from gateway.platform.request_log.rollup import add_rows
from gateway.platform.request_log.series import (
    Cut,
    last_failed_hour,
    models_of,
    series,
    use_by_key,
)
from tests.fakes.books import Books, make_row

HOUR_US = 3_600_000_000
FIRST_DAY = 20_000
DAYS = 9
MODELS = ("a", "b")


def made(chance: random.Random, number: int) -> RequestRow:
    hour = FIRST_DAY * 24 + chance.randrange(DAYS * 24)
    return make_row(
        f"req_{number}",
        chance.choice((1, 1, 1, 2)),
        started_us=hour * HOUR_US + chance.randrange(HOUR_US),
        key_no=chance.randrange(4),
        model=chance.choice(MODELS),
        outcome=chance.choice(("completed", "completed", "completed", "upstream_failed")),
        cost_microusd=chance.randrange(100),
    )


def within(row: RequestRow, cut: Cut) -> bool:
    return (
        row.account_no == cut.account_no
        and cut.from_hour <= row.started_us // HOUR_US < cut.until_hour
        and cut.model in (None, row.model)
        and cut.key_no in (None, row.key_no)
        and (cut.key_nos is None or row.key_no in cut.key_nos)
    )


def some_cut(chance: random.Random) -> Cut:
    begin = FIRST_DAY * 24 + chance.randrange(-30, DAYS * 24)
    hours = chance.choice((0, 1, 23, 24, 25, 47, 48, 72, chance.randrange(DAYS * 24 + 40)))
    if chance.random() < 0.3:
        begin, hours = begin // 24 * 24, hours // 24 * 24
    return Cut(
        1,
        begin,
        begin + hours,
        chance.choice((None, None, *MODELS)),
        chance.choice((None, None, 1)),
        chance.choice((None, None, frozenset({0, 2}), frozenset())),
    )


async def test_every_question_is_the_sum_of_the_rows_of_its_range(where: Path | str) -> None:
    chance = random.Random(20260511)
    rows = [made(chance, number) for number in range(700)]
    async with Books(where) as books:
        for at in range(0, len(rows), 37):  # batches reach over many hours and days
            await books.database.write(lambda c, at=at: add_rows(c, rows[at : at + 37]))
        for _ in range(80):
            cut = some_cut(chance)
            mine = [row for row in rows if within(row, cut)]
            hours = chance.choice((1, 6, 24))
            points = await books.database.read(
                lambda c, cut=cut, hours=hours: series(c, cut, group="model", hours_a_bucket=hours)
            )
            groups = {(row.started_us // HOUR_US // hours, row.model) for row in mine}
            assert [point[:2] for point in points] == sorted(groups), cut
            for point in points:
                same = [r for r in mine if (r.started_us // HOUR_US // hours, r.model) == point[:2]]
                tokens = sum(
                    r.input_tokens + r.cache_read_tokens + r.cache_write_tokens for r in same
                )
                assert point[2:] == (
                    len(same),
                    sum(r.outcome == "upstream_failed" for r in same),
                    tokens,
                    sum(r.output_tokens for r in same),
                    sum(r.cost_microusd for r in same),
                )
            failed = [r.started_us // HOUR_US for r in mine if r.outcome == "upstream_failed"]
            found = await books.database.read(lambda c, cut=cut: last_failed_hour(c, cut))
            assert found == max(failed, default=None), cut
            names = await books.database.read(lambda c, cut=cut: models_of(c, cut))
            assert names == sorted({row.model for row in mine})


async def test_use_by_key_is_the_sum_since_each_hour(where: Path | str) -> None:
    chance = random.Random(7)
    rows = [made(chance, number) for number in range(300)]
    async with Books(where) as books:
        await books.database.write(lambda c: add_rows(c, rows))
        for whole in (True, False) * 20:
            cut = some_cut(chance)
            since = [FIRST_DAY * 24 + chance.randrange(DAYS * 24) for _ in range(3)]
            if whole:
                since = [hour // 24 * 24 for hour in since]
            mine = [row for row in rows if within(row, cut)]
            found = await books.database.read(
                lambda c, cut=cut, since=since: use_by_key(c, cut, since)
            )
            assert found.keys() == {row.key_no for row in mine}, cut
            for key_no, use in found.items():
                same = [row for row in mine if row.key_no == key_no]
                assert use.last_hour == max(row.started_us // HOUR_US for row in same), cut
                assert use.spent_microusd == tuple(
                    sum(r.cost_microusd for r in same if r.started_us // HOUR_US >= hour)
                    for hour in since
                )
