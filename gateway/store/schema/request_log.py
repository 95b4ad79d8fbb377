"""Tables of the request log: one metadata row a request, and its rollups. No content, ever.

`request_log` is written in the transaction that posts the charge. Its two indexes are all it
needs: ids sort by time, so both grow near their ends and a row costs the same at any size. The
rollups are keyed by what a person asks for, without the log's own order. Tokens that did not come
are NULL (absent is not zero); an `error_code` or `price_version` that does not apply is '' or 0.
`units` is JSON by name of unit, or ''; `trail` the attempts that failed, or ''; `application` what
the calling program says it is (see `request_log.applications`), or ''.
"""

from sqlalchemy import CheckConstraint, Column, Index, PrimaryKeyConstraint, Table

from gateway.store.schema import integer, metadata, text

request_log = Table(
    "request_log",
    metadata,
    integer("seq", primary_key=True),
    text("id", unique=True),
    integer("started_us"),
    integer("account_no"),
    integer("key_no"),
    text("model"),
    text("provider"),
    text("upstream_model"),
    text("endpoint"),
    integer("stream"),
    integer("status"),
    text("outcome"),
    text("error_code"),
    integer("attempts"),
    integer("duration_ms"),
    integer("first_token_ms", nullable=True),
    text("basis"),
    integer("input_tokens"),
    integer("cache_read_tokens"),
    integer("cache_write_tokens"),
    integer("output_tokens"),
    integer("reasoning_tokens"),
    integer("reported_input_tokens", nullable=True),
    integer("reported_output_tokens", nullable=True),
    integer("measured_input_tokens", nullable=True),
    integer("measured_output_tokens", nullable=True),
    integer("measured_exact"),
    integer("cost_picousd"),
    integer("cost_microusd"),
    integer("overrun_microusd"),
    integer("price_version"),
    text("units", server_default=""),
    text("trail", server_default=""),
    text("application", server_default=""),
    CheckConstraint(
        "cost_picousd >= 0 AND cost_microusd >= 0 AND overrun_microusd >= 0", name="cost"
    ),
    Index("ix_request_log_account_no_seq", "account_no", "seq"),
    sqlite_strict=True,
)


def _sums() -> list[Column[int]]:
    """What the rollups of usage sum up; a column belongs to one table, so they are made anew."""
    names = (
        *("requests", "failures", "input_tokens", "cache_read_tokens", "cache_write_tokens"),
        *("output_tokens", "reasoning_tokens", "cost_microusd", "overrun_microusd"),
    )
    return [integer(name) for name in names]


usage_hourly = Table(
    "usage_hourly",
    metadata,
    integer("hour"),
    integer("account_no"),
    integer("key_no"),
    text("model"),
    text("provider"),
    *_sums(),
    PrimaryKeyConstraint("hour", "account_no", "key_no", "model", "provider"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# The hours' sums once more, by day and the account first: a long range of one account is one walk.
usage_daily = Table(
    "usage_daily",
    metadata,
    integer("account_no"),
    integer("day"),
    integer("key_no"),
    text("model"),
    text("provider"),
    *_sums(),
    PrimaryKeyConstraint("account_no", "day", "key_no", "model", "provider"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

usage_units_hourly = Table(
    "usage_units_hourly",
    metadata,
    integer("hour"),
    integer("account_no"),
    integer("key_no"),
    text("model"),
    text("provider"),
    text("unit"),
    integer("quantity"),
    PrimaryKeyConstraint("hour", "account_no", "key_no", "model", "provider", "unit"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# Of the requests that named an application; the others are what is lacking to `usage_hourly`. The
# account comes first, so that a range of one is one walk.
usage_applications_hourly = Table(
    "usage_applications_hourly",
    metadata,
    integer("account_no"),
    integer("hour"),
    integer("key_no"),
    text("model"),
    text("application"),
    *_sums(),
    PrimaryKeyConstraint("account_no", "hour", "key_no", "model", "application"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

usage_drift_daily = Table(
    "usage_drift_daily",
    metadata,
    integer("day"),
    text("provider"),
    text("model"),
    integer("requests"),
    integer("reported_tokens"),
    integer("measured_tokens"),
    integer("ratio_ppm_sum"),
    integer("ratio_square_ppm_sum"),
    PrimaryKeyConstraint("day", "provider", "model"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# What every model served, by day and over all accounts: the status page and the administration's
# first page read it. `failures`: all that was not served; `faults`: what no caller caused.
service_daily = Table(
    "service_daily",
    metadata,
    integer("day"),
    text("model"),
    integer("requests"),
    integer("failures"),
    integer("faults"),
    integer("cost_microusd"),
    PrimaryKeyConstraint("day", "model"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
