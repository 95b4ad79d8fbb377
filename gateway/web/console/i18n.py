"""Languages: which one a reader gets, and how it writes words, money, numbers and times.

A page or a letter is rendered within `speaking(language, zone)`; gettext and the formats below
follow it, in imported macros too. Times are in UTC where no zone is named. Catalogues are
locale/<code>/LC_MESSAGES/messages: compiled (.mo) where the build made one that is not older than
its source (.po), else read from the source. Money is written exactly, never rounded. It reads no
room and no request but the headers it is given.
"""

import functools
import io
import zoneinfo
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Final, NamedTuple

from babel import Locale
from babel.dates import format_date, format_skeleton, get_timezone_location
from babel.numbers import format_compact_decimal, format_currency, format_decimal, format_percent
from babel.units import format_unit
from markupsafe import Markup

ROOM: Final = Path(__file__).parent / "locale"
SOURCE: Final = "en"
MAX_HEADER: Final = 500  # characters of an Accept-Language that are read
_EXACT: Final = "#,##0.00####"
_COLUMN: Final = "#,##0.000000"
CENT_MICROUSD: Final = 10_000


class Language(NamedTuple):
    """A language of the console: its code, its tag in HTML (BCP 47), its own name, its formats."""

    code: str
    tag: str
    name: str
    locale: Locale


LANGUAGES: Final = {
    code: Language(code, tag, name, Locale.parse(locale))
    for code, tag, name, locale in (
        ("en", "en", "English", "en_US"),
        ("zh", "zh-Hans", "简体中文", "zh_Hans_CN"),
        ("ja", "ja", "日本語", "ja_JP"),
        ("vi", "vi", "Tiếng Việt", "vi_VN"),
        ("fr", "fr", "Français", "fr_FR"),
        ("ru", "ru", "Русский", "ru_RU"),
    )
}
_current: ContextVar[Language] = ContextVar("language", default=LANGUAGES[SOURCE])
_zone: ContextVar[tzinfo] = ContextVar("zone", default=UTC)


def negotiate(cookie: str, accept_language: str, profile: str = "") -> Language:
    """The language somebody chose here, else in the profile, else the browser's first spoken."""
    for chosen in (cookie, profile):
        if chosen in LANGUAGES:
            return LANGUAGES[chosen]
    wishes: list[tuple[float, str]] = []
    for part in accept_language[:MAX_HEADER].split(","):
        tag, _, rest = part.strip().partition(";")
        weight = rest.strip().removeprefix("q=") or "1"
        try:
            wishes.append((-float(weight), tag.partition("-")[0].lower()))
        except ValueError:
            continue
    for weight_, code in sorted(wishes, key=lambda wish: wish[0]):
        if code in LANGUAGES and weight_ < 0:
            return LANGUAGES[code]
    return LANGUAGES[SOURCE]


def language_of(
    cookies: Mapping[str, str], headers: Mapping[str, str], profile: str = ""
) -> Language:
    """The language of who sent these, and whose profile asks for one."""
    return negotiate(cookies.get("locale", ""), headers.get("Accept-Language", ""), profile)


@functools.cache
def catalogue(code: str) -> NullTranslations:
    """The messages of a language; none for the source, and where a catalogue is missing."""
    source = ROOM / code / "LC_MESSAGES" / "messages.po"
    compiled = source.with_suffix(".mo")
    if compiled.exists() and not (
        source.exists() and source.stat().st_mtime > compiled.stat().st_mtime
    ):
        with compiled.open("rb") as file:
            return GNUTranslations(file)
    if not source.exists():
        return NullTranslations()
    return GNUTranslations(io.BytesIO(compile_source(source)))


def compile_source(source: Path) -> bytes:
    """A catalogue's source as the bytes of its compiled form."""
    from babel.messages.mofile import write_mo  # only where the build did not do it
    from babel.messages.pofile import read_po

    with source.open("rb") as file:
        messages = read_po(file)
    compiled = io.BytesIO()
    write_mo(compiled, messages)
    return compiled.getvalue()


@contextmanager
def speaking(language: Language, zone: str = "") -> Iterator[None]:
    """Within this, words and formats are of that language, and times of that zone."""
    before, zone_before = _current.set(language), _zone.set(_zone_named(zone))
    try:
        yield
    finally:
        _current.reset(before)
        _zone.reset(zone_before)


@functools.lru_cache(maxsize=256)
def _zone_named(name: str) -> tzinfo:
    """A zone by its name; UTC where there is none of this name, or no longer."""
    try:
        return zoneinfo.ZoneInfo(name) if name else UTC
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def language() -> Language:
    """The language spoken now."""
    return _current.get()


def gettext(message: str) -> str:
    """A message in the language spoken now; itself where there is no translation."""
    return catalogue(_current.get().code).gettext(message)


def ngettext(singular: str, plural: str, number: int) -> str:
    """The form of a message for a number."""
    return catalogue(_current.get().code).ngettext(singular, plural, number)


# --- formats ------------------------------------------------------------------------------------


def number(value: int | float) -> str:
    """A number grouped as the language groups."""
    return format_decimal(value, locale=_current.get().locale)


def compact(value: int | float) -> str:
    """A large number in short, such as 1.2M."""
    locale = _current.get().locale
    return format_compact_decimal(value, locale=locale, fraction_digits=1)


def percent(ratio: float, digits: int = 1) -> str:
    """A ratio as a percentage; 1 is a hundred per cent and never said of anything less."""
    scale = 10 ** (digits + 2)
    value = min(ratio, (scale - 1) / scale) if ratio < 1 else ratio
    pattern = "#,##0." + "#" * digits + "%"
    if _current.get().code in ("fr", "ru"):
        pattern = pattern.replace("%", " %")
    return format_percent(value, format=pattern, locale=_current.get().locale)


def usd(amount_microusd: int) -> str:
    """Exact dollars without the sign of the currency: `1,234.50`."""
    value = Decimal(amount_microusd) / 1_000_000
    return format_decimal(value, format=_EXACT, locale=_current.get().locale)


def money(amount_microusd: int, digits: int = 6) -> str:
    """Dollars with their sign, exact unless fewer digits are asked for; `$1,234.50`."""
    locale = _current.get().locale
    pattern = locale.currency_formats["standard"].pattern.partition(";")[0]
    pattern = pattern.replace("0.00", "0.00" + "#" * (digits - 2))
    value = Decimal(amount_microusd) / 1_000_000
    return format_currency(value, "USD", pattern, locale=locale, currency_digits=False)


def brief(amount_microusd: int) -> str:
    """Dollars for a headline: cents, never more than there is; below a cent exact."""
    if abs(amount_microusd) < CENT_MICROUSD:
        return money(amount_microusd)
    whole = abs(amount_microusd) // CENT_MICROUSD * CENT_MICROUSD
    return money(whole if amount_microusd > 0 else -whole, 2)


def column(amount_microusd: int) -> str:
    """Exact dollars with all six decimals, so that a column's points stand below each other."""
    value = Decimal(amount_microusd) / 1_000_000
    return format_decimal(value, format=_COLUMN, locale=_current.get().locale)


def price(picousd: int) -> str:
    """Dollars for a million units, with the sign of the currency and at least two decimals."""
    return money(picousd)  # a picodollar a token is a micro-dollar a million tokens


def _at(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us // 1_000_000, _zone.get())


def _shown_utc() -> bool:
    zone = _zone.get()
    return zone is UTC or str(zone) in ("UTC", "Etc/UTC")


def moment(at_us: int) -> str:
    """A time to the second: in UTC, or in the reader's zone, which it then says."""
    at = _at(at_us)
    zone = "" if _shown_utc() else f"\N{NO-BREAK SPACE}{_offset(at)}"
    return f"{_date(at)} {at:%H:%M:%S}{zone}"


def stated(at_us: int) -> str:
    """A time as `moment` writes it, with its zone in any case: for a sentence."""
    return f"{moment(at_us)} UTC" if _shown_utc() else moment(at_us)


def _offset(at: datetime) -> str:
    minutes = (at.utcoffset() or timedelta()) // timedelta(minutes=1)
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    return f"UTC{sign}{hours}" + (f":{rest:02}" if rest else "")


def zoned(label: str) -> str:
    """The label of a column of times: instead of UTC the place whose zone the reader chose."""
    zone = _zone.get()
    if _shown_utc() or not isinstance(zone, zoneinfo.ZoneInfo):
        return label
    if zone.key.startswith("Etc/") or "/" not in zone.key:  # no place, and one offset for ever
        return label.replace("UTC", _offset(datetime.now(zone)))
    place = get_timezone_location(zone, locale=_current.get().locale, return_city=True)
    return label.replace("UTC", place)


def instant(at_us: int) -> Markup:
    """Attributes of a `<time>`: the exact instant, and said in UTC where the text is not."""
    if _shown_utc():
        return Markup('datetime="{}"').format(iso(at_us))
    at = datetime.fromtimestamp(at_us // 1_000_000, UTC)
    return Markup('datetime="{}" title="{} {} UTC"').format(iso(at_us), _date(at), f"{at:%H:%M:%S}")


def clock(at_us: int) -> str:
    """A time to the second, without its year: for the rows of a log, under a `zoned` label."""
    at = _at(at_us)
    return f"{format_skeleton('MMMd', at, locale=_current.get().locale)} {at:%H:%M:%S}"


def day(at_us: int) -> str:
    """A date in UTC: of what begins and ends with its days."""
    return _date(datetime.fromtimestamp(at_us // 1_000_000, UTC))


def date_of(at_us: int) -> str:
    """The date of a moment, in the reader's zone."""
    return _date(_at(at_us))


def bucket(label: str) -> str:
    """A chart's `2026-11-27 13:00` as the language writes it, in UTC; a whole day as it stands."""
    if " " not in label:
        return label
    at = datetime.fromisoformat(f"{label}+00:00")
    return f"{format_skeleton('MMMd', at, locale=_current.get().locale)} {at:%H:%M}"


def _date(at: datetime) -> str:
    """A date without the abbreviated word for "year" that CLDR ends a Russian one with.

    Readers do without it, and its point would stand before a sentence's full stop.
    """
    return format_date(at, "medium", _current.get().locale).removesuffix("г.").rstrip()


def iso(at_us: int) -> str:
    """A time as machines read it (RFC 3339)."""
    return f"{datetime.fromtimestamp(at_us // 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def duration(value_ms: int | None) -> str:
    """Milliseconds as people say them; a dash for none."""
    if value_ms is None:
        return "–"
    locale = _current.get().locale
    if value_ms < 1_000:
        return format_unit(value_ms, "duration-millisecond", "short", locale=locale)
    if value_ms < 90_000:
        seconds = round(value_ms / 1000, 2 if value_ms < 10_000 else 1)
        return format_unit(seconds, "duration-second", "short", locale=locale)
    if value_ms < 5_400_000:
        return format_unit(round(value_ms / 60_000), "duration-minute", "short", locale=locale)
    return format_unit(round(value_ms / 3_600_000), "duration-hour", "short", locale=locale)


def lasting(value: int, unit: str) -> str:
    """A time of whole years, days, hours or minutes in words, such as 30 days."""
    name = f"duration-{unit.removesuffix('s')}"
    return format_unit(value, name, "long", locale=_current.get().locale)


def size(count_bytes: int) -> str:
    """Bytes as people say them."""
    locale = _current.get().locale
    for name, scale in (("gigabyte", 2**30), ("megabyte", 2**20), ("kilobyte", 2**10)):
        if count_bytes >= scale:
            value = round(count_bytes / scale, 1)
            return format_unit(value, f"digital-{name}", "short", locale=locale)
    return format_unit(count_bytes, "digital-byte", "short", locale=locale)
