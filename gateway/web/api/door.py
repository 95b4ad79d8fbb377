"""The door of the self-service API: operations as data, and how a request becomes a call.

An operation says its method, path, action, input and answer; routes and the OpenAPI document are
made from the same table. Who calls is known by the session cookie of the console, or by an API key
as a bearer token. A key is held by programs and may leak, so it only reads, only where an
operation says so, and only what concerns that key; everything else needs the session. The CSRF
check of `security` stands before all of it. Every refusal is JSON of one shape.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from gateway.base.errors import (
    EndpointNotFound,
    GatewayError,
    InternalError,
    InvalidKey,
    InvalidRequest,
    KeyNotAllowed,
    MethodNotAllowed,
    NotSignedIn,
    PermissionDenied,
    UnsupportedMedia,
)
from gateway.base.money import MoneyError
from gateway.platform.accounts import Account
from gateway.platform.accounts.roles import OWN, may
from gateway.platform.assembly import Platform
from gateway.platform.keys import Key
from gateway.platform.refusals import Problem, Refusal
from gateway.web.client_address import exact_address
from gateway.web.guard import COOKIE, TRUSTED

PREFIX = "/api/v1"
log = logging.getLogger("tallygate.web")
_encode = msgspec.json.Encoder(order="deterministic").encode


class NoInput(msgspec.Struct, forbid_unknown_fields=True):
    """No parameters."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: who makes it, and its checked input. `key` is None where a session calls."""

    platform: Platform
    account: Account
    key: Key | None
    path: Mapping[str, str]
    query: Any
    body: Any


Run = Callable[[Call], Awaitable[msgspec.Struct | None]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the route table. `answer` None: 204, an answer without content.

    `key_may`: an API key may call it too, and sees what is that key's own.
    """

    name: str
    method: str
    path: str
    action: str
    summary: str
    run: Run = field(repr=False)
    answer: type[msgspec.Struct] | None
    query: type[msgspec.Struct] = NoInput
    body: type[msgspec.Struct] | None = None
    status: int = 200
    key_may: bool = False


class ErrorDetail(msgspec.Struct, omit_defaults=True):
    """What was wrong. `code` is of the error catalogue; `param` names a field of the input."""

    code: str
    message: str
    type: str
    param: str | None = None


class Error(msgspec.Struct):
    """The body of every refusal."""

    error: ErrorDetail


class Door:
    """Makes guarded routes of operations."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def routes(self, operations: Sequence[Operation]) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            web.route(each.method, PREFIX + each.path, self._handler(each)) for each in operations
        ]

    def _handler(self, operation: Operation) -> Callable[[web.Request], Awaitable[web.Response]]:
        if operation.action not in OWN:
            raise ValueError(f"{operation.name}: the API serves people's own things only")

        async def handle(request: web.Request) -> web.Response:
            try:
                return await self._serve(operation, request)
            except Problem as problem:
                return refusal(InvalidRequest("This value is not accepted.", param=problem.field))
            except (Refusal, MoneyError) as error:
                return refusal(InvalidRequest(str(error)))
            except GatewayError as error:
                return refusal(error)

        handle.action = operation.action  # type: ignore[attr-defined]
        return handle

    async def _serve(self, operation: Operation, request: web.Request) -> web.Response:
        account, key = await self._caller(operation, request)
        call = Call(
            self._platform,
            account,
            key,
            request.match_info,
            _query(operation, request),
            await _body(operation, request),
        )
        answer = await operation.run(call)
        if answer is None:
            return web.Response(status=204)
        return json_response(answer, operation.status)

    async def _caller(
        self, operation: Operation, request: web.Request
    ) -> tuple[Account, Key | None]:
        """Who calls. Raises NotSignedIn, InvalidKey, PermissionDenied."""
        authorization = request.headers.get("Authorization")
        if authorization is not None:
            key = self._key(authorization, request)
            if not operation.key_may:
                raise PermissionDenied("An API key may not do this; sign in instead.")
            return key.account, key
        account = await self._platform.people.sessions.account(request.cookies.get(COOKIE, ""))
        if account is None:
            raise NotSignedIn()
        if not may(account.role, operation.action):
            raise PermissionDenied()
        return account, None

    def _key(self, authorization: str, request: web.Request) -> Key:
        scheme, _, token = authorization.partition(" ")
        key = self._platform.keys.ring.find(token.strip()) if scheme.lower() == "bearer" else None
        if key is None or key.revoked or key.account.state != "active":
            raise InvalidKey()
        if key.expires_us is not None and key.expires_us <= self._platform.clock.now_us():
            raise InvalidKey()
        if key.scope is not None and not key.scope.admits_address(_address(request)):
            raise KeyNotAllowed()
        return key


def _address(request: web.Request) -> str:
    forwarded = request.headers.getall("X-Forwarded-For", [])
    return exact_address(request.remote, forwarded, request.app.get(TRUSTED, ()))


def _query(operation: Operation, request: web.Request) -> Any:
    given: dict[str, str] = {}
    for name, value in request.query.items():
        if name in given:
            raise InvalidRequest("A parameter was given twice.", param=name[:64])
        given[name] = value
    try:
        return msgspec.convert(given, operation.query, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"The query is not as described: {error}.") from None


async def _body(operation: Operation, request: web.Request) -> Any:
    if operation.body is None:
        return None
    if request.content_type != "application/json":
        raise UnsupportedMedia()
    try:
        return msgspec.json.decode(await request.read(), type=operation.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is not as described: {error}.") from None


def json_response(answer: Any, status: int = 200) -> web.Response:
    """An answer as JSON."""
    return web.Response(body=_encode(answer), status=status, content_type="application/json")


def refusal(error: GatewayError) -> web.Response:
    """A refusal as JSON."""
    detail = ErrorDetail(error.code, error.text, error.type, error.param)
    response = json_response(Error(detail), error.status)
    if isinstance(error, NotSignedIn | InvalidKey):
        response.headers["WWW-Authenticate"] = "Bearer"  # RFC 9110, 11.6.1
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


_BY_STATUS: Mapping[int, type[GatewayError]] = {
    error.status: error
    for error in (InvalidRequest, PermissionDenied, EndpointNotFound, MethodNotAllowed)
}


def refused_before(status: int, words: str) -> web.Response:
    """What the checks before any operation refused, in the API's shape."""
    known = _BY_STATUS.get(status)
    if known is not None:
        return refusal(known(words if status in (400, 403) else ""))
    if status >= 500:
        return refusal(InternalError())
    detail = ErrorDetail("invalid_request", words, InvalidRequest.type)
    return json_response(Error(detail), status)
