"""Ranges of time as an address names them: `24h`, `7d`, `30d`, `90d`, `12m`, or two dates in UTC.

Whole hours since the Unix epoch, the last one still running. Pure: the time is an argument.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

from gateway.platform.request_log.series import MAX_HOURS

HOUR_US: Final = 3_600 * 10**6
HOURS_A_DAY: Final = 24
HOURLY_UP_TO: Final = 49  # hours; a longer range is shown by days
PRESETS: Final = {"24h": 24, "7d": 7 * 24, "30d": 30 * 24, "90d": 90 * 24, "12m": 365 * 24}


class Range(NamedTuple):
    """from_hour <= hour < until_hour; `name` is a preset's, or empty for two dates."""

    name: str
    from_hour: int
    until_hour: int

    @property
    def hours_a_bucket(self) -> int:
        """1 where a chart shows hours, 24 where it shows days."""
        return 1 if self.until_hour - self.from_hour < HOURLY_UP_TO else HOURS_A_DAY

    @property
    def buckets(self) -> range:
        """Every bucket of the range, by its number since the Unix epoch."""
        size = self.hours_a_bucket
        return range(self.from_hour // size, -(-self.until_hour // size))

    def start_us(self, bucket: int) -> int:
        """When a bucket begins, in epoch microseconds."""
        return bucket * self.hours_a_bucket * HOUR_US


def preset(name: str, now_us: int) -> Range:
    """A preset, ending with the present hour; days are whole days of UTC."""
    until = now_us // HOUR_US + 1
    hours = PRESETS[name]
    begin = until - hours
    if hours >= HOURLY_UP_TO:
        begin = (until - 1) // HOURS_A_DAY * HOURS_A_DAY - hours + HOURS_A_DAY
    return Range(name, max(begin, 0), until)


def read_range(query: Mapping[str, str], now_us: int, default: str = "30d") -> Range:
    """The range an address asks for; what makes no sense is the default."""
    first, last = _day(query.get("from", "")), _day(query.get("until", ""))
    if first is not None and last is not None and first <= last:
        begin, end = first * HOURS_A_DAY, (last + 1) * HOURS_A_DAY
        end = min(end, now_us // HOUR_US + 1)
        if 0 <= begin < end and end - begin <= MAX_HOURS:
            return Range("", begin, end)
    name = query.get("range", default)
    return preset(name if name in PRESETS else default, now_us)


def _day(text: str) -> int | None:
    try:
        return (date.fromisoformat(text) - date(1970, 1, 1)).days
    except ValueError:
        return None


def label(at_us: int, hours_a_bucket: int) -> str:
    """A bucket's beginning as a chart writes it, in UTC."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    return f"{at:%Y-%m-%d %H:00}" if hours_a_bucket == 1 else f"{at:%Y-%m-%d}"
