"""Table of review cases: what was noticed about a key, and what somebody found when they looked.

Figures only: no address and nothing that was asked. A case is opened by the gateway and closed by
a person; nothing is deleted. A key has at most one open case, which the database sees to. Numbers
of keys and accounts are never used again, so that a case may outlive what it is about.
"""

from sqlalchemy import CheckConstraint, Index, Table
from sqlalchemy import text as condition

from gateway.store.schema import integer, metadata, text

_OPEN = condition("state = 'open'")

review_cases = Table(
    "review_cases",
    metadata,
    text("id", primary_key=True),
    text("kind"),
    integer("key_no"),
    integer("account_no"),
    integer("opened_us"),
    integer("networks"),  # at least so many, all of them since then
    integer("since_us"),
    integer("most_networks"),  # what was set when it was opened
    integer("window_hours"),
    text("state"),
    integer("closed_us", nullable=True),
    text("closed_by", nullable=True),
    text("finding", nullable=True),
    text("words", nullable=True),
    CheckConstraint("kind IN ('address_spread')", name="kind"),
    CheckConstraint("state IN ('open', 'closed')", name="state"),
    CheckConstraint("finding IN ('own_use', 'leaked', 'passed_on', 'unclear')", name="finding"),
    CheckConstraint(
        "(state = 'open') = (closed_us IS NULL) AND (state = 'open') = (closed_by IS NULL) "
        "AND (state = 'open') = (finding IS NULL) AND (state = 'open') = (words IS NULL)",
        name="closed",
    ),
    CheckConstraint("networks > most_networks AND since_us <= opened_us", name="figures"),
    Index("ix_review_cases_state_id", "state", "id"),
    Index("ix_review_cases_key_no", "key_no"),
    Index(
        "uq_review_cases_open_key_no",
        "key_no",
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    ),
    sqlite_strict=True,
)
