"""What a provider's error answer means to the caller, for every kind of provider.

Redirects are neither followed nor relayed. The provider's words go back only for errors the caller
can mend, with anything that looks like a key, an account or an organisation removed. A refusal of
the gateway's own credentials is never the caller's 401. Sources: the "Errors" pages of the API
references of OpenAI, Anthropic, Google and Amazon Bedrock.
"""

import re
from typing import Any

import msgspec

from gateway.base.errors import (
    GatewayError,
    UpstreamBadResponse,
    UpstreamCredentials,
    UpstreamFailed,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
)

MAX_MESSAGE_CHARS = 2_000
MAX_RETRY_AFTER_S = 120  # the OpenAI SDKs do not retry beyond it
OVERLOADED = 529  # Anthropic's own status, for want of capacity
_SECRETS = re.compile(
    r"\b(?:sk|pk|rk|org|proj|key)-[A-Za-z0-9*_-]{4,}|\bproj_[A-Za-z0-9]{8,}"  # OpenAI's
    r"|(?<=organization \()[0-9a-f-]{36}|(?<=org: )[0-9a-f-]{36}"  # Anthropic's organisations
    r"|\b(?:user|org)_[A-Za-z0-9]{20,}"  # OpenRouter's accounts
    r"|\bAIza[A-Za-z0-9_-]{10,}"  # Google's API keys, and projects
    r"|\bprojects?/[A-Za-z0-9_:.-]+|\bproject(?:_number:|[ =])\d{6,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{8,}|\barn:aws[^\s\"',]+"  # Amazon's
    r"|\b[a-z0-9-]+(?=\.(?:openai|cognitiveservices|services\.ai)\.azure\.com)"
)
# Google answers 400 for a wrong key, Anthropic and DashScope for an account that may not spend.
_OUR_FAULT = re.compile(
    rb"API_KEY_INVALID|API key (?:not valid|expired)|credit balance is too low"
    rb'|organization has been disabled|"code"\s*:\s*"Arrearage"'
)
# OpenAI, Moonshot, Zhipu (1113), MiniMax (1008; 429 or 500 by endpoint): waiting helps no key
# whose account has nothing left to spend.
_NO_CREDIT = re.compile(
    rb'"(?:code|type)"\s*:\s*"(?:insufficient_quota|billing_hard_limit_reached'
    rb"|billing_not_active|exceeded_current_quota_error|1113"
    rb'|insufficient_balance_error)"|insufficient balance \(1008\)'
)
_decode = msgspec.json.Decoder().decode


def translated(
    status: int, headers: dict[bytes, bytes], body: bytes, api_key: str = ""
) -> GatewayError:
    """Map a non-200 answer to a request made with `api_key`."""
    if status in (401, 402, 403):
        return UpstreamCredentials()
    if status in (429, 500) and _NO_CREDIT.search(body[:65_536]):
        return UpstreamCredentials()
    if status in (429, OVERLOADED):
        return UpstreamRateLimited(retry_after_s=retry_after_s(headers))
    if status == 408 or status == 504:
        return UpstreamTimeout()
    if status in (400, 404, 413, 415, 422):
        if _OUR_FAULT.search(body[:65_536]):
            return UpstreamCredentials()
        message, param = caller_message(body, api_key)
        return UpstreamRejected(message, param=param)
    if status == 409 or status >= 500:  # 409: the provider was busy with a like request
        return UpstreamFailed(retry_after_s=retry_after_s(headers))
    return UpstreamBadResponse()


def retry_after_s(headers: dict[bytes, bytes]) -> int | None:
    """Seconds from Retry-After or retry-after-ms, bounded; None when absent or a date."""
    try:
        if b"retry-after-ms" in headers:
            seconds = -(-int(headers[b"retry-after-ms"]) // 1000)
        else:
            seconds = int(headers[b"retry-after"])
    except (KeyError, ValueError):
        return None
    return min(max(seconds, 0), MAX_RETRY_AFTER_S)


def caller_message(body: bytes, api_key: str = "") -> tuple[str, str | None]:
    """The provider's own words for an error the caller can mend, bounded and scrubbed.

    `api_key` is the gateway's own, which not every provider gives a form that tells it is one.
    """
    try:
        document: Any = _decode(body)
    except (msgspec.DecodeError, ValueError):
        return "", None
    if isinstance(document, list) and document:  # Gemini, asked for a stream of another form
        document = document[0]
    if not isinstance(document, dict):
        return "", None
    error = document.get("error", document)  # Bedrock's `message` stands at the top
    if not isinstance(error, dict):
        return "", None
    error = _heard(error)
    message, param = error.get("message"), error.get("param")
    text = _scrubbed(message, api_key)[:MAX_MESSAGE_CHARS] if isinstance(message, str) else ""
    return text, _scrubbed(param, api_key)[:100] if isinstance(param, str) else None


def _heard(error: dict[str, Any]) -> dict[str, Any]:
    """OpenRouter's error, or the one it heard itself and hands on in `metadata.raw`, as it came."""
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    if not isinstance(raw, str) or not raw:
        return error
    try:
        told: Any = _decode(raw)
    except (msgspec.DecodeError, ValueError):
        return {"message": raw}
    inner = told.get("error", told) if isinstance(told, dict) else None
    if isinstance(inner, dict) and isinstance(inner.get("message"), str):
        return inner
    return error


def scrub(api_key: str, data: bytes) -> bytes:
    """Bytes of an answer that reports an error, without the secrets that its words may hold.

    What was JSON stays JSON: no secret holds a character of its syntax.
    """
    return without_secrets(data.decode("latin-1"), api_key).encode("latin-1")


def _scrubbed(text: str, api_key: str) -> str:
    return without_secrets(text[: 2 * MAX_MESSAGE_CHARS], api_key)


def without_secrets(text: str, api_key: str) -> str:
    """A provider's words without the gateway's key, or anything like a key or an organisation."""
    for secret in (api_key, *api_key.split(":")):
        if len(secret) > 3:
            text = text.replace(secret, "[removed]")
    return _SECRETS.sub("[removed]", text)
