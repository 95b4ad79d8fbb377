"""The error catalogue: every error a caller can meet, with its code, status, source and advice.

Each class says when it is raised and what the caller should do; the README's table is made from
these docstrings. A duplicate code fails at import. Messages never carry a prompt, a completion, a
key, or an upstream's own text. This file knows nothing of HTTP bodies: dialects render errors.
"""

from typing import ClassVar, Literal

Source = Literal["caller", "upstream", "gateway"]

CATALOGUE: dict[str, type["GatewayError"]] = {}


class GatewayError(Exception):
    """Base of the catalogue. `type` is the OpenAI error type (wire format of the OpenAI API).

    `retry_after_s` is told to the caller; `wait_s` is the provider's own wish, unrounded.
    """

    code: ClassVar[str] = ""
    status: ClassVar[int] = 500
    source: ClassVar[Source] = "gateway"
    retryable: ClassVar[bool] = False
    type: ClassVar[str] = "invalid_request_error"
    message: ClassVar[str] = ""

    def __init__(
        self, text: str = "", *, param: str | None = None, retry_after_s: int | None = None
    ) -> None:
        super().__init__(text or self.message)
        self.text = text or self.message
        self.param = param
        self.retry_after_s = retry_after_s
        self.wait_s: float | None = retry_after_s

    def __init_subclass__(cls) -> None:
        if cls.code in CATALOGUE:
            raise TypeError(f"error code {cls.code!r} is declared twice")
        if not cls.__doc__:
            raise TypeError(f"error {cls.__name__} has no docstring")
        CATALOGUE[cls.code] = cls


# --- the caller's request -----------------------------------------------------------------------


class InvalidRequest(GatewayError):
    """The request is malformed: bad JSON, a missing or wrong field. Mend the request."""

    code, status, source = "invalid_request", 400, "caller"
    message = "The request is malformed."


class MisdirectedHost(GatewayError):
    """The Host header is missing, repeated or not a plain host name. Mend the client."""

    code, status, source = "invalid_host", 400, "caller"
    message = "The Host header is missing or malformed."


class InvalidKey(GatewayError):
    """No usable API key came with the request. Send `Authorization: Bearer sk-tg-...`."""

    code, status, source = "invalid_api_key", 401, "caller"
    type = "authentication_error"
    message = "The API key is missing, unknown, expired or revoked."


class KeyNotAllowed(GatewayError):
    """The key may not be used for this model or endpoint, or from here. Use another key."""

    code, status, source = "key_not_allowed", 403, "caller"
    type = "permission_error"
    message = "This API key may not be used for this."


class NotSignedIn(GatewayError):
    """The self-service API was called without a session. Sign in, or send an API key to read."""

    code, status, source = "not_signed_in", 401, "caller"
    type = "authentication_error"
    message = "Sign in first."


class PermissionDenied(GatewayError):
    """Whoever calls may not do this, or not in this way. The message says what is missing."""

    code, status, source = "permission_denied", 403, "caller"
    type = "permission_error"
    message = "You have no right to do this."


class NotFound(GatewayError):
    """Nothing of that id belongs to the account that asks."""

    code, status, source = "not_found", 404, "caller"
    message = "There is nothing of that id."


class AccountSuspended(GatewayError):
    """The key's account is suspended. Write to the operator."""

    code, status, source = "account_suspended", 403, "caller"
    type = "permission_error"
    message = "This account is suspended."


class ConsentMissing(GatewayError):
    """The account is a minor's and waits for a guardian's consent. The guardian has a letter."""

    code, status, source = "guardian_consent_missing", 403, "caller"
    type = "permission_error"
    message = "This account waits for the consent of a guardian."


class AgeUnproven(GatewayError):
    """The operator asked the account's owner for a proof of age. The console says what to do."""

    code, status, source = "proof_of_age_requested", 403, "caller"
    type = "permission_error"
    message = "This account owes a proof of age."


class InsufficientCredit(GatewayError):
    """The balance does not cover the request. Top up; retrying alone will not help."""

    code, status, source = "insufficient_credit", 402, "caller"
    type = "insufficient_quota"
    message = "The account's credit does not cover this request."


class CreditInUse(GatewayError):
    """Other running requests hold the credit. Retry after the time given, or top up."""

    code, status, source, retryable = "credit_in_use", 402, "caller", True
    type = "insufficient_quota"
    message = "The account's credit is held by requests still running."


class Untranslatable(GatewayError):
    """The model's provider cannot be told a field of the request. Leave the named field out."""

    code, status, source = "untranslatable_field", 400, "caller"
    message = "The model's provider has no equivalent for a field of the request."


class FieldNotServed(GatewayError):
    """A field asks for what has no price here or is kept at the provider. Leave it out."""

    code, status, source = "field_not_served", 400, "caller"
    message = "A field of the request asks for what is not served here."


class ModelNotFound(GatewayError):
    """No model of that name is offered. `GET /v1/models` lists the names."""

    code, status, source = "model_not_found", 404, "caller"
    message = "The model does not exist or is not offered here."


class EndpointNotFound(GatewayError):
    """The address is not part of this API. See the README for the endpoints served."""

    code, status, source = "endpoint_not_found", 404, "caller"
    message = "There is no such endpoint."


class MethodNotAllowed(GatewayError):
    """The endpoint exists but not for this HTTP method."""

    code, status, source = "method_not_allowed", 405, "caller"
    message = "This endpoint does not answer this HTTP method."


class RequestTimeout(GatewayError):
    """Header or body came too slowly and the request was dropped. Send it again."""

    code, status, source, retryable = "request_timeout", 408, "caller", True
    type = "timeout_error"
    message = "The request was not received in time."


class BodyTooLarge(GatewayError):
    """The body is over the limit. Send less."""

    code, status, source = "body_too_large", 413, "caller"
    message = "The request body is too large."


class RateLimitExceeded(GatewayError):
    """The account or key has sent its requests of this minute. Retry after the time given."""

    code, status, source, retryable = "rate_limit_exceeded", 429, "caller", True
    type = "rate_limit_exceeded"
    message = "Too many requests a minute."


class TokenLimitExceeded(GatewayError):
    """The tokens of this minute are used or reserved. Retry after the time given."""

    code, status, source, retryable = "token_limit_exceeded", 429, "caller", True
    type = "rate_limit_exceeded"
    message = "Too many tokens a minute."


class RequestOverTokenLimit(GatewayError):
    """The prompt alone is over the tokens a minute. Send less, or ask for a higher limit."""

    code, status, source = "request_over_token_limit", 429, "caller"
    type = "rate_limit_exceeded"
    message = "The prompt alone is over the tokens allowed a minute."


class ConcurrencyLimitExceeded(GatewayError):
    """As many requests as allowed run already. Retry when one of them has ended."""

    code, status, source, retryable = "concurrency_limit_exceeded", 429, "caller", True
    type = "rate_limit_exceeded"
    message = "Too many requests at once."


class BudgetExceeded(GatewayError):
    """A spending limit is reached until its next day, week or month. Raise it, or wait."""

    code, status, source = "budget_exceeded", 429, "caller"
    type = "insufficient_quota"
    message = "A spending limit is reached."


class BudgetInUse(GatewayError):
    """Running requests hold the rest of a spending limit. Retry after the time given."""

    code, status, source, retryable = "budget_in_use", 429, "caller", True
    type = "insufficient_quota"
    message = "The rest of a spending limit is held by requests still running."


class UnsupportedMedia(GatewayError):
    """The body is not JSON in UTF-8, or is compressed. Send plain application/json."""

    code, status, source = "unsupported_media_type", 415, "caller"
    message = "The body must be plain JSON in UTF-8."


class TooManyAttempts(GatewayError):
    """Too many sign-in attempts, for this account or from this address. Wait the time given."""

    code, status, source, retryable = "too_many_attempts", 429, "caller", True
    type = "rate_limit_exceeded"
    message = "Too many attempts; wait a few minutes and try again."


class HeadersTooLarge(GatewayError):
    """The request's header block is over the limit. Send fewer or shorter headers."""

    code, status, source = "headers_too_large", 431, "caller"
    message = "The request's headers are too large."


class TargetTooLong(GatewayError):
    """The request's address, its query included, is over the limit. Shorten it."""

    code, status, source = "target_too_long", 414, "caller"
    message = "The request target is too long."


class NotServed(GatewayError):
    """A known endpoint of the OpenAI API that this gateway does not serve."""

    code, status, source = "endpoint_not_supported", 501, "gateway"
    message = "This endpoint is not supported by this gateway."


class DialectNotServed(GatewayError):
    """The model's upstream does not speak this endpoint. Use another endpoint or model."""

    code, status, source = "endpoint_not_supported_by_model", 404, "caller"
    message = "This model cannot be used with this endpoint."


# --- the gateway --------------------------------------------------------------------------------


class ModelNotPriced(GatewayError):
    """A model without a price is refused, never given away. The operator must price it."""

    code, status = "model_not_priced", 503
    type = "server_error"
    message = "The model has no price yet."


class Overloaded(GatewayError):
    """The gateway is at a limit it protects itself with. Retry after the time given."""

    code, status, retryable = "overloaded", 503, True
    type = "server_error"
    message = "The gateway is busy; try again shortly."


class StorageUnavailable(GatewayError):
    """Charges cannot be made durable right now (disk full, database locked). Retry later."""

    code, status, retryable = "storage_unavailable", 503, True
    type = "server_error"
    message = "The gateway cannot record charges right now; nothing was charged."


class ShuttingDown(GatewayError):
    """The gateway is stopping; the stream was cut and charged for what was delivered."""

    code, status, retryable = "shutting_down", 503, True
    type = "server_error"
    message = "The gateway is restarting."


class InternalError(GatewayError):
    """A fault of the gateway itself. Report it with the request id."""

    code, status, retryable = "internal_error", 500, True
    type = "server_error"
    message = "The gateway failed to serve this request."


# --- the upstream -------------------------------------------------------------------------------


class UpstreamUnreachable(GatewayError):
    """No connection to the provider, or it closed before answering. Retry."""

    code, status, source, retryable = "upstream_unreachable", 502, "upstream", True
    type = "upstream_error"
    message = "The provider could not be reached."


class UpstreamBadResponse(GatewayError):
    """The provider answered with something that is not valid HTTP or not its protocol. Retry."""

    code, status, source, retryable = "upstream_bad_response", 502, "upstream", True
    type = "upstream_error"
    message = "The provider's answer was malformed."


class UpstreamTruncated(GatewayError):
    """The provider's stream ended before its end. Delivered output is charged as measured."""

    code, status, source, retryable = "upstream_truncated", 502, "upstream", True
    type = "upstream_error"
    message = "The provider's answer ended early."


class UpstreamTimeout(GatewayError):
    """The provider did not answer, or fell silent, past a deadline. Retry."""

    code, status, source, retryable = "upstream_timeout", 504, "upstream", True
    type = "timeout_error"
    message = "The provider did not answer in time."


class UpstreamRateLimited(GatewayError):
    """The provider refuses for rate or capacity (429). Retry after the time given."""

    code, status, source, retryable = "upstream_rate_limited", 429, "upstream", True
    type = "rate_limit_exceeded"
    message = "The provider is rate limiting this gateway."


class UpstreamRejected(GatewayError):
    """The provider calls the request invalid (400, 404, 413, 422). Mend the request."""

    code, status, source = "upstream_rejected", 400, "upstream"
    message = "The provider rejected the request."


class UpstreamCredentials(GatewayError):
    """The provider refuses the gateway's own credentials. The operator must act; not the caller."""

    code, status, source = "upstream_credentials_exhausted", 502, "upstream"
    type = "upstream_error"
    message = "The gateway's credentials for this provider were refused."


class UpstreamFailed(GatewayError):
    """The provider failed (5xx) or reported an error inside its answer. Retry."""

    code, status, source, retryable = "upstream_failed", 502, "upstream", True
    type = "upstream_error"
    message = "The provider failed."


class ResponseTooLarge(GatewayError):
    """One event or body of the provider is over the limit; the answer was cut."""

    code, status, source = "upstream_response_too_large", 502, "upstream"
    type = "upstream_error"
    message = "The provider's answer is too large."
