"""Tables of the catalog: providers, models, their targets, and the versions of their prices.

Price rows are only ever added (triggers refuse UPDATE and DELETE): a charge names the version that
made it, so a version must stay what it was. They name the model instead of referring to its row,
because they outlive it. Credentials are sealed columns; `api_key_ref` names an environment
variable instead, and `proxy` holds only a URL without credentials.
"""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, PrimaryKeyConstraint, Table

from gateway.store.schema import integer, metadata, octets, text

providers = Table(
    "providers",
    metadata,
    integer("no", primary_key=True),
    text("name", unique=True),
    text("kind"),
    text("base_url"),
    text("api_key_ref", nullable=True),
    octets("api_key_sealed", nullable=True),
    integer("allow_private_address"),
    text("proxy", nullable=True),
    octets("proxy_sealed", nullable=True),
    text("disconnect"),
    text("endpoints"),  # comma-separated
    text("region", nullable=True),
    text("api_version", nullable=True),
    octets("api_keys_sealed", nullable=True),  # a pool of keys and references, separated by spaces
    integer("health_interval_s", nullable=True),
    text("quirks", server_default=""),  # comma-separated
    CheckConstraint("api_key_ref IS NULL OR api_key_sealed IS NULL", name="one_credential"),
    sqlite_strict=True,
)

models = Table(
    "models",
    metadata,
    integer("no", primary_key=True),
    text("name", unique=True),
    integer("context_tokens"),
    integer("max_output_tokens"),
    integer("output_reserve_tokens", nullable=True),
    text("encoding"),  # empty: the counter's own choice
    integer("created_us"),
    text("policy"),
    text("aliases"),  # comma-separated, as are fallbacks
    text("fallbacks"),
    integer("hedge"),
    sqlite_strict=True,
)

targets = Table(
    "targets",
    metadata,
    integer("model_no"),
    integer("position"),
    integer("provider_no"),
    text("model"),
    integer("weight"),
    text("region", nullable=True),
    integer("max_concurrent", nullable=True),
    PrimaryKeyConstraint("model_no", "position"),
    ForeignKeyConstraint(["model_no"], ["models.no"]),
    ForeignKeyConstraint(["provider_no"], ["providers.no"]),
    sqlite_strict=True,
)

prices = Table(
    "prices",
    metadata,
    integer("no", primary_key=True, autoincrement=False),  # the version that charges name
    text("model"),
    text("provider"),  # with `target`: of one target of the model; both empty: of the model
    text("target"),
    integer("effective_us"),
    integer("created_us"),
    integer("withdrawn"),  # 1: from then on the model has no price
    integer("input_picousd"),
    integer("cache_read_picousd"),
    integer("cache_write_picousd"),
    integer("output_picousd"),
    integer("reasoning_picousd", nullable=True),
    integer("request_picousd"),
    text("units", server_default=""),  # JSON: picousd by name of unit; empty: none
    integer("tokens_priced", server_default="1"),  # 0: text tokens have no price
    CheckConstraint(
        "input_picousd >= 0 AND cache_read_picousd >= 0 AND cache_write_picousd >= 0 AND "
        "output_picousd >= 0 AND coalesce(reasoning_picousd, 0) >= 0 AND request_picousd >= 0",
        name="amounts",
    ),
    Index("ix_prices_model_effective_us", "model", "effective_us"),
    sqlite_strict=True,
)
