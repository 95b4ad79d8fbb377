"""The form of a key: what was typed, as values of the rooms, or the field that is wrong.

Every word is in the templates; a field that is wrong is named by a code.
"""

import re
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from gateway.base.money import MoneyError, format_usd, parse_usd
from gateway.platform.keys import MAX_NAME, KeyRow, Scope, parse_scope
from gateway.platform.keys.scope import listed_models
from gateway.platform.limits.terms import NO_LIMITS, Limits, checked_limits
from gateway.platform.refusals import Problem, Refusal
from gateway.web.console.forms import Form

RATES: Final = ("requests_per_minute", "tokens_per_minute", "concurrent_requests")
BUDGETS: Final = ("day_microusd", "week_microusd", "month_microusd")
ENDPOINTS: Final = (  # by the names of `proxy.dialects.endpoints`
    *("chat", "responses", "messages", "count_tokens", "gemini", "gemini_count", "completions"),
    *("embeddings", "images", "image_edits", "speech", "transcriptions", "translations"),
    *("moderations", "rerank", "realtime"),
)
DAY_US: Final = 86_400 * 10**6
_EPOCH: Final = datetime(1970, 1, 1)
_SPLIT: Final = re.compile(r"[\s,]+")


class KeyWish(NamedTuple):
    """What a key should be."""

    name: str
    scope: Scope | None
    expires_us: int | None
    limits: Limits


def shown_fields(row: KeyRow | None = None, limits: Limits = NO_LIMITS) -> dict[str, str]:
    """The form's fields filled in with a key as it is; empty without one."""
    scope = row.scope if row is not None else None
    fields = {
        "name": row.name if row is not None else "",
        "models": "\n".join(listed_models(scope)),
        "endpoints": " ".join(sorted(scope.endpoints)) if scope is not None else "",
        "addresses": "\n".join(str(n) for n in scope.networks) if scope is not None else "",
        "expires": "",
    }
    if row is not None and row.expires_us is not None:
        end = _EPOCH + timedelta(microseconds=row.expires_us - 1)
        fields["expires"] = f"{end:%Y-%m-%d}"
    for name in RATES:
        value = getattr(limits, name)
        fields[name] = "" if value is None else str(value)
    for name in BUDGETS:
        value = getattr(limits, name)
        fields[name] = "" if value is None else format_usd(value)
    return fields


def typed_fields(form: Form) -> dict[str, str]:
    """The form as it was typed, to be shown again."""
    fields = {name: form.text(name) for name in shown_fields()}
    fields["endpoints"] = " ".join(name for name in ENDPOINTS if form.ticked(f"endpoint_{name}"))
    return fields


def read_key_form(form: Form, now_us: int, expires_us: int | None = None) -> KeyWish:
    """The wish of a form; `expires_us` is kept where its date was not changed. Raises Problem."""
    fields = typed_fields(form)
    name = fields["name"].strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise Problem("name", "bad")
    scopes: dict[str, list[str]] = {}
    for part in ("models", "endpoints", "addresses"):
        scopes[part] = [text for text in _SPLIT.split(fields[part]) if text]
        try:
            parse_scope(**{part: scopes[part]})
        except Refusal:
            raise Problem(part, "bad") from None
    return KeyWish(
        name, parse_scope(**scopes), _end(fields["expires"], now_us, expires_us), _limits(fields)
    )


def _end(text: str, now_us: int, before_us: int | None) -> int | None:
    """The end of the day that was typed, in UTC. Raises Problem for one that is over."""
    if not text:
        return None
    try:
        day = (date.fromisoformat(text) - date(1970, 1, 1)).days
    except ValueError:
        raise Problem("expires", "bad") from None
    end_us = (day + 1) * DAY_US
    if before_us is not None and end_us - DAY_US < before_us <= end_us:
        return before_us
    if not now_us < end_us < 2**53:
        raise Problem("expires", "bad")
    return end_us


def _limits(fields: dict[str, str]) -> Limits:
    values: dict[str, int | None] = {}
    for name in (*RATES, *BUDGETS):
        text = fields[name].strip()
        try:
            if not text:
                values[name] = None
            elif name in BUDGETS:
                values[name] = parse_usd(text)
            elif text.isascii() and text.isdigit():
                values[name] = int(text[:20])
            else:
                raise Problem(name, "bad")
            checked_limits(Limits(**{name: values[name]}))
        except (MoneyError, Refusal):
            raise Problem(name, "bad") from None
    return Limits(**values)
