"""Applications: which program sent a request, as it says itself, in the form the log keeps.

An application is a title and a site, and one text of both: the site, a blank, the title. A site has
no blank in it, so the text reads back as it was; '' is a request that named none. Titles are what
callers write: of an account only so many count in a day, and what is beyond them is OTHER, so that
no caller fills a rollup with names. What an application is called proves nothing about it.
"""

from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select

from gateway.platform.request_log.rollup import DAY_US
from gateway.platform.request_log.series import Cut, within
from gateway.store.schema.request_log import usage_applications_hourly

OTHER: Final = " "  # one that is beyond the bound: neither title nor site
MOST: Final = 50  # of an account in a day
MOST_KNOWN: Final = 100_000  # of all accounts in a day: 20 MiB of memory at worst
MOST_LISTED: Final = 100


class Application(NamedTuple):
    """What a program says of itself: a title, a site such as `https://example.com`, or both."""

    title: str
    site: str

    @property
    def shown(self) -> str:
        """Both in one line; empty for OTHER."""
        return " · ".join(part for part in self if part)


def written_application(title: str, site: str) -> str:
    """An application as the log keeps it; empty where neither is known."""
    return f"{site} {title}" if title or site else ""


def read_application(text: str) -> Application | None:
    """The inverse of `written_application`; None for none."""
    site, blank, title = text.partition(" ")
    return Application(title, site) if blank else None


class Applications:
    """The applications of the day, by account. In memory: after a restart the count begins anew."""

    def __init__(self, most: int = MOST, most_known: int = MOST_KNOWN) -> None:
        self._most = most
        self._most_known = most_known
        self._day = 0
        self._named: dict[int, set[str]] = {}
        self._count = 0

    def counted(self, account_no: int, at_us: int, text: str) -> str:
        """The text, or OTHER once the account has named too many since the day began."""
        day = at_us // DAY_US
        if day > self._day:
            self._day, self._count = day, 0
            self._named.clear()
        named = self._named.get(account_no)
        if named is None:
            named = self._named[account_no] = set()
        if text in named:
            return text
        if len(named) >= self._most or self._count >= self._most_known:
            return OTHER
        named.add(text)
        self._count += 1
        return text


def applications_of(connection: Connection, cut: Cut) -> list[str]:
    """The applications of a cut as texts, those with the most requests first; so many at most."""
    columns = usage_applications_hourly.c
    query = within(select(columns.application), cut, columns).group_by(columns.application)
    query = query.order_by(func.sum(columns.requests).desc(), columns.application)
    return list(connection.scalars(query.limit(MOST_LISTED)))
