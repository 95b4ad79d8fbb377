"""The settings table: every setting with its default and help, read once into frozen Settings.

Order of precedence: policy preset < `tallygate.toml` < environment `TALLYGATE_*` < flags. A setting
`server.port` is `[server] port = ...` in the file and `TALLYGATE_SERVER_PORT` in the environment.
Unknown keys are errors that name the nearest known one. Values keep their source, for
`tallygate config show`.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from gateway.base.policy import PRESETS, STRICT, presets_of, strict

ENV_PREFIX = "TALLYGATE_"
# Environment names with the prefix that are not settings of the running gateway.
ENV_OTHER = frozenset(
    {"TALLYGATE_DEBUG", "TALLYGATE_SANITIZE", "TALLYGATE_COVERAGE", "TALLYGATE_MASTER_KEY"}
)


class ConfigError(ValueError):
    """A setting is unknown or has a wrong value; the text is one line that says what to do."""


class Setting(NamedTuple):
    """One row of the table. `kind` is the type of the value; `choices` limits a str."""

    name: str
    kind: type
    default: Any
    help: str
    choices: tuple[str, ...] = ()
    minimum: int = 0
    secret: bool = False  # never shown
    form: str = ""  # a text that is not empty must match it, in full


# An e-mail address or an https link: what stands in a page must be nothing else.
_CONTACT = r"https://[^\s<>\"']+|[^\s@<>:/?&\"']+@[^\s@<>:/?&\"']+"
_OPEN, _AGES = ("open", "closed"), ("13", "18")
_TLS = ("starttls", "tls", "none")
_AGE, _COST, _DAYS = (strict(name) for name in ("minimum_age", "bcrypt_cost", "session_days"))

SETTINGS: tuple[Setting, ...] = (
    Setting("server.host", str, "127.0.0.1", "Address to listen on."),
    Setting("server.port", int, 8080, "Port to listen on; 0 picks a free one."),
    Setting("server.allowed_hosts", str, "", "Comma-separated Host names to accept; empty: any."),
    Setting("server.max_connections", int, 20_000, "Client connections open at once.", (), 1),
    Setting(
        "server.max_connections_per_address",
        int,
        1_000,
        "Connections from one address, loopback excepted.",
        (),
        1,
    ),
    Setting(
        "server.memory_limit_bytes", int, 0, "At nine tenths of it: 503. 0: the container's limit."
    ),
    Setting("server.max_body_bytes", int, 32 * 2**20, "Largest request body.", (), 1024),
    Setting("server.header_timeout_s", float, 10.0, "A request's headers must come within this."),
    Setting("server.body_timeout_s", float, 20.0, "A body must come within this, or at 1 KiB/s."),
    Setting("server.keepalive_timeout_s", float, 75.0, "Idle client connections close."),
    Setting("server.stream_keepalive_s", float, 15.0, "Comment lines in silent streams; 0: none."),
    Setting("server.write_stall_timeout_s", float, 60.0, "A client that reads nothing is cut."),
    Setting("server.shutdown_timeout_s", float, 30.0, "Streams may finish this long at stop."),
    Setting("upstream.connect_timeout_s", float, 10.0, "Dialling, TLS included."),
    Setting("upstream.first_byte_timeout_s", float, 300.0, "From request to response headers."),
    Setting("upstream.first_token_timeout_s", float, 600.0, "From request to a stream's output."),
    Setting("upstream.idle_timeout_s", float, 120.0, "Silence between two reads of an answer."),
    Setting("upstream.total_timeout_s", float, 3600.0, "A whole answer."),
    Setting("upstream.max_connections", int, 20_000, "Connections to one provider.", (), 1),
    Setting("upstream.keepalive_timeout_s", float, 60.0, "Idle provider connections close."),
    Setting("upstream.max_response_bytes", int, 64 * 2**20, "Largest non-streamed answer.", (), 1),
    Setting("upstream.max_event_bytes", int, 16 * 2**20, "Largest event of a stream.", (), 1024),
    Setting("upstream.attempts", int, 3, "Attempts before output, where targets are fewer.", (), 1),
    Setting("upstream.retry_budget_s", float, 5.0, "Waiting between attempts of one request."),
    Setting("upstream.key_retry_s", float, 300.0, "A provider's key that was refused rests."),
    Setting("upstream.breaker_failures", int, 5, "Failures in a row that open a breaker.", (), 1),
    Setting("upstream.breaker_ratio_percent", int, 50, "Part of failures that opens it.", (), 1),
    Setting("upstream.breaker_open_s", float, 5.0, "It opens so long, then doubled up to 60."),
    Setting("upstream.drain_timeout_s", float, 30.0, "Policy `drain`: read on at most this long."),
    Setting("upstream.drain_streams", int, 1_000, "Policy `drain`: streams drained at once."),
    Setting(
        "ledger.durability",
        str,
        "full",
        "`full`: an answer ends after its charge is on disk; `relaxed`: at once.",
        ("full", "relaxed"),
    ),
    Setting("ledger.commit_delay_us", int, 4_000, "Longest wait for a fuller commit under load."),
    Setting(
        "ledger.stream_commit_delay_us",
        int,
        100_000,
        "A stream's end waits a fiftieth of its time, at most this, for others' while many run.",
    ),
    Setting("ledger.max_pending", int, 20_000, "Charges awaiting a commit before 503.", (), 1),
    Setting("ledger.output_reserve_tokens", int, 4_096, "Held when a request names no maximum."),
    Setting("usage.drift_limit_ppm", int, 50_000, "Usage reports off by more: a finding.", (), 1),
    Setting("cache.max_bytes", int, 64 * 2**20, "Cached answers, all accounts together."),
    Setting("cache.max_entries", int, 10_000, "Cached answers, all accounts together."),
    Setting(
        "cache.max_ttl_s", int, strict("cache_hours") * 3_600, "No answer is cached for longer."
    ),
    Setting(
        "store.url",
        str,
        "",
        "postgresql://USER@HOST/NAME; empty: a file in the data folder.",
        (),
        0,
        True,
    ),
    Setting("sandbox.enabled", bool, True, "Offer the built-in sandbox/echo and sandbox/lorem."),
    Setting("sandbox.welcome_credit_usd", str, "10", "The first account's credit."),
    Setting(
        "catalog.require_agreements",
        bool,
        False,
        "A provider is added or used only with an agreement in force.",
    ),
    Setting("server.trusted_proxies", str, "", "Proxies whose X-Forwarded-For counts: networks."),
    Setting("server.public_url", str, "", "Address in links of mail; empty: http://HOST:PORT."),
    Setting("operator.name", str, "", "Who runs this place, for legal texts and footers."),
    Setting(
        "operator.contact",
        str,
        "",
        "Where the operator is written to: an e-mail address or an https link.",
        form=_CONTACT,
    ),
    Setting(
        "policy.preset",
        str,
        STRICT,
        "Whose numbers hold where no setting gives one: the strictest of all, or one policy's.",
        PRESETS,
    ),
    Setting(
        "policy.notice_days",
        int,
        strict("policy_notice_days"),
        "A material change of the legal texts is told this many days ahead.",
        (),
        1,
    ),
    Setting("accounts.sign_up", str, "open", "Who may sign up: `open` or `closed`.", _OPEN),
    Setting(
        "accounts.minimum_age",
        str,
        str(_AGE),
        "Least age at sign-up, in years; with 13 a minor's guardian has to consent.",
        _AGES,
    ),
    Setting("accounts.terms_version", str, "1", "Name of the first version of the legal texts."),
    Setting("accounts.bcrypt_cost", int, _COST, "Work of a password hash: 2 to this.", (), 12),
    Setting("accounts.session_days", int, _DAYS, "A sign-in ends after this many days.", (), 1),
    Setting("accounts.four_eyes_usd", str, "100", "Larger adjustments need a second person."),
    Setting("accounts.low_balance_usd", str, "1", "A balance below it: a letter, once; 0: never."),
    Setting(
        "keys.spread_networks",
        int,
        20,
        "A key that more networks use within the hours below: a review case; 0: never.",
    ),
    Setting("keys.spread_window_hours", int, 24, "Hours within which they are counted.", (), 1),
    Setting(
        "keys.spread_again_days",
        int,
        30,
        "Days from the end of a case until its key may get another.",
    ),
    Setting("mail.smtp_host", str, "", "SMTP server; empty: links go to the log."),
    Setting("mail.smtp_port", int, 587, "Port of the SMTP server.", (), 1),
    Setting("mail.smtp_user", str, "", "User name at the SMTP server; empty: none."),
    Setting("mail.smtp_password", str, "", "Password at the SMTP server.", (), 0, True),
    Setting("mail.smtp_tls", str, "starttls", "TLS to the SMTP server.", _TLS),
    Setting("mail.sender", str, "Tallygate <noreply@localhost>", "From address of mail."),
    Setting("oauth.google_id", str, "", "Google OAuth client id; empty: not offered."),
    Setting("oauth.google_secret", str, "", "Google OAuth client secret.", (), 0, True),
    Setting("oauth.github_id", str, "", "GitHub OAuth client id; empty: not offered."),
    Setting("oauth.github_secret", str, "", "GitHub OAuth client secret.", (), 0, True),
    Setting("log.level", str, "info", "Log level.", ("debug", "info", "warning", "error")),
    Setting("log.requests", bool, False, "Log one line a request."),
    Setting(
        "log.applications",
        bool,
        True,
        "Keep the title and site by which a calling program names itself.",
    ),
)
_BY_NAME = {setting.name: setting for setting in SETTINGS}
_BY_ENV = {ENV_PREFIX + s.name.upper().replace(".", "_"): s for s in SETTINGS}


@dataclass(frozen=True, slots=True)
class Value:
    """A setting's value and where it came from.

    The source is `default`, `preset` and its name, a file, a variable, or `flag`; `given`: the
    operator gave the value itself.
    """

    value: Any
    source: str
    given: bool = True


class Settings:
    """All values, frozen: `settings.get("server.port")`, or by attribute `settings.server_port`."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = dict(values)

    def get(self, name: str) -> Any:
        """The value of a setting by its dotted name. Raises KeyError for an unknown name."""
        return self._values[name].value

    def __getattr__(self, name: str) -> Any:
        section, _, rest = name.partition("_")
        try:
            return self._values[f"{section}.{rest}"].value
        except KeyError:
            raise AttributeError(name) from None

    def rows(self) -> list[tuple[Setting, Value]]:
        """Every setting with its value, in the table's order."""
        return [(setting, self._values[setting.name]) for setting in SETTINGS]


def load(
    path: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Read file, environment and flags (dotted names; None means not given). Raises ConfigError."""
    values = {setting.name: Value(setting.default, "default", False) for setting in SETTINGS}
    if path is not None:
        for name, raw in _read_file(path).items():
            values[name] = Value(_convert(_known(name), raw, str(path)), str(path))
    for variable, raw in environ.items():
        if not variable.startswith(ENV_PREFIX) or variable in ENV_OTHER:
            continue
        if variable not in _BY_ENV:
            raise ConfigError(f"unknown variable {variable}{_nearest(variable, list(_BY_ENV))}")
        setting = _BY_ENV[variable]
        values[setting.name] = Value(_convert(setting, raw, variable), variable)
    for name, raw in (flags or {}).items():
        if raw is not None:
            values[name] = Value(_convert(_known(name), raw, "flag"), "flag")
    _apply_preset(values)
    return Settings(values)


def _apply_preset(values: dict[str, Value]) -> None:
    """Every number of the chosen policy that the operator has not given."""
    source = f"preset {values['policy.preset'].value}"
    for name, number in presets_of(values["policy.preset"].value).items():
        if not values[name].given:
            values[name] = Value(_convert(_known(name), str(number), source), source, False)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    flat: dict[str, Any] = {}
    for section, content in document.items():
        if not isinstance(content, dict):
            names = [s.name for s in SETTINGS]
            raise ConfigError(f"{path}: unknown setting {section!r}{_nearest(section, names)}")
        flat.update({f"{section}.{key}": value for key, value in content.items()})
    return flat


def _known(name: str) -> Setting:
    if name not in _BY_NAME:
        raise ConfigError(f"unknown setting {name!r}{_nearest(name, list(_BY_NAME))}")
    return _BY_NAME[name]


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"; did you mean {close[0]!r}?" if close else "; see `tallygate config show`"


_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


def _convert(setting: Setting, raw: Any, source: str) -> Any:
    """Check and convert one value; text is accepted for every kind (it is all env offers)."""
    wrong = ConfigError(f"{source}: {setting.name} must be a {setting.kind.__name__}, not {raw!r}")
    value: Any = raw
    if setting.kind is bool:
        if isinstance(raw, str):
            lowered = raw.strip().lower()
            if lowered not in _TRUE | _FALSE:
                raise wrong
            value = lowered in _TRUE
        elif not isinstance(raw, bool):
            raise wrong
    elif setting.kind in (int, float):
        if isinstance(raw, bool):
            raise wrong
        try:
            value = setting.kind(raw)
        except (TypeError, ValueError):
            raise wrong from None
        if value != value or value < setting.minimum:
            raise ConfigError(f"{source}: {setting.name} must be at least {setting.minimum}")
    elif not isinstance(raw, str):
        raise wrong
    if setting.form and value and not re.fullmatch(setting.form, value):
        raise ConfigError(f"{source}: {setting.name} has not the form that its help tells")
    if setting.choices and value not in setting.choices:
        raise ConfigError(f"{source}: {setting.name} is one of {', '.join(setting.choices)}")
    return value
