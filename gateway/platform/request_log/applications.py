"""Applications: which program sent a request, as it says itself, in the form the log keeps.

An application is a title and a site, and one text of both: the site, a blank, the title. A site has
no blank in it, so the text reads back as it was; '' is a request that named none. Titles are what
callers write: of an account only so many count in a day, and what is beyond them is OTHER, so that
no caller fills a rollup with names. What an application is called proves nothing about it.
"""

from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select

from gateway.platform.request_log.rollup import DAY_US
from gateway.platform.request_log.series import Cut, rows_by_application

OTHER: Final = " "  # one that is beyond the bound: neither title nor site
MOST: Final = 50  # of an account in a day
MOST_KNOWN: Final = 100_000  # of all accounts in a day: 20 MiB of memory
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
    """How many applications an account has named today, and which: kept as hashes, in memory, so
    that after a restart the count begins anew."""

    def __init__(self, most: int = MOST, most_known: int = MOST_KNOWN) -> None:
        self._most = most
        self._most_known = most_known
        self._day = 0
        self._known: set[int] = set()
        self._counts: dict[int, int] = {}

    def counted(self, account_no: int, at_us: int, text: str) -> str:
        """The text, or OTHER once the account has named too many since the day began."""
        day = at_us // DAY_US
        if day > self._day:
            self._day = day
            self._known.clear()
            self._counts.clear()
        mark = hash((account_no, text))
        if mark not in self._known:
            count = self._counts.get(account_no, 0)
            if count >= self._most or len(self._known) >= self._most_known:
                return OTHER
            self._counts[account_no] = count + 1
            self._known.add(mark)
        return text


def applications_of(connection: Connection, cut: Cut) -> list[str]:
    """The applications of a cut as texts, those with the most requests first; so many at most."""
    rows = rows_by_application(cut).c
    query = select(rows.application).group_by(rows.application)
    query = query.order_by(func.sum(rows.requests).desc(), rows.application)
    return list(connection.scalars(query.limit(MOST_LISTED)))
