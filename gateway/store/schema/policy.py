"""The table of the versions of the legal texts: what each says, when it begins, when it was told.

Rows are added; only `told_us` is written later, once: triggers refuse all else. `numbers` and
`texts` are objects of JSON, `parties` and `classes` lists. A material version, one with classes,
cannot begin earlier than its days of notice after it was entered: the database refuses it. Times
in epoch microseconds.
"""

from sqlalchemy import CheckConstraint, Table, UniqueConstraint

from gateway.store.schema import integer, metadata, text

policy_versions = Table(
    "policy_versions",
    metadata,
    text("id", primary_key=True),
    integer("entered_us"),
    text("entered_by"),
    text("name"),
    text("words"),
    text("numbers"),
    text("texts"),
    text("parties"),
    text("classes"),
    integer("notice_days"),
    integer("effective_us"),
    integer("told_us", nullable=True),
    UniqueConstraint("name", name="uq_policy_versions_name"),
    CheckConstraint(
        "classes = '[]' OR effective_us >= entered_us + notice_days * 86400000000", name="notice"
    ),
    sqlite_strict=True,
)
