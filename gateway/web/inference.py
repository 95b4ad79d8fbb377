"""The inference door: maps `/v1/` and `/v1beta/` requests to exchanges, and lists the models.

The only web file that starts the data plane. Routes on the raw path alone. A key may stand where
each provider's SDKs put it: `Authorization`, `x-api-key`, `x-goog-api-key`, or for Gemini's paths
`?key=`; from here on it is a bearer token like any other.
"""

from urllib.parse import unquote, unquote_to_bytes

from gateway.base.errors import (
    EndpointNotFound,
    GatewayError,
    InvalidKey,
    InvalidRequest,
    MethodNotAllowed,
    ModelNotFound,
    NotServed,
    Overloaded,
)
from gateway.platform.keys import Key
from gateway.proxy.authenticate import key_of
from gateway.proxy.dialects.endpoints import Family, Place, family_of, find, is_unserved
from gateway.proxy.dialects.errors import error_body, error_headers, request_id_line
from gateway.proxy.dialects.limit_headers import limit_headers
from gateway.proxy.drive import drive
from gateway.proxy.exchange import Exchange, Plane
from gateway.proxy.pipeline import serve
from gateway.web.connection import Connection
from gateway.web.models import ModelList
from gateway.web.parser import Request

_MODELS = {"gemini": (b"/v1beta/models", b"/v1alpha/models", b"/v1/models")}


class Inference:
    """Serves the requests of all connections with one data plane."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._models = ModelList(plane.catalog.snapshot)

    def serve(self, connection: Connection, request: Request) -> None:
        """Start the exchange of a POST to an endpoint; answer anything else at once."""
        path, _, query = request.target.partition(b"?")
        place = find(path)
        if place is None or request.method != b"POST":
            self._answer(connection, request, path, place)
            return
        if self._plane.short_of_memory:
            self._refuse(connection, Overloaded(retry_after_s=1), place.endpoint.family, self._id())
            return
        authorization = credential(request.headers, query)
        x = Exchange(
            self._plane, connection, place.endpoint, request.body, authorization, request.headers
        )
        x.recall = connection.recall
        if place.model is not None:
            if place.stream and b"alt=sse" not in query.split(b"&"):
                error = InvalidRequest("Stream with `?alt=sse`; the array form is not served.")
                self._refuse(connection, error, "gemini", x.id)
                return
            x.model_name, x.stream = place.model, place.stream
        connection.carry(x)
        connection.task = drive(serve(x), self._plane.loop)

    def _id(self) -> str:
        return self._plane.ids.make("req")

    def _answer(
        self, connection: Connection, request: Request, path: bytes, place: Place | None
    ) -> None:
        """Everything that costs nothing: models, and clear words for the rest."""
        request_id = self._id()
        family = family_of(path, request.headers)
        try:
            if place is not None:
                raise MethodNotAllowed("Use POST.")
            key, body = self._list(request, path, family)
        except GatewayError as error:
            allow = b"" if not isinstance(error, MethodNotAllowed) else b"Allow: POST\r\n"
            if allow and place is None:  # RFC 9110, 15.5.6
                allow = b"Allow: GET, HEAD\r\n"
            self._refuse(connection, error, family, request_id, allow)
            return
        lines = f"Content-Type: application/json\r\nx-request-id: {request_id}\r\n".encode()
        lines += request_id_line(family, request_id) + self._rates(key, family)
        connection.respond(200, lines, body)

    def _rates(self, key: Key, family: Family) -> bytes:
        """How the rates of account and key stand; asking for the models takes nothing of them."""
        terms = key.account.limits
        if terms is None:
            return b""
        plane = self._plane
        requests, tokens = plane.limiter.standing(key.account.no, key.no, terms)
        return limit_headers(requests, tokens, plane.clock.now_us(), family)

    def _refuse(
        self,
        connection: Connection,
        error: GatewayError,
        family: Family,
        request_id: str,
        lines: bytes = b"",
    ) -> None:
        self._plane.metrics.series("", "", error.status).duration.observe(0)
        headers = error_headers(error, family, request_id) + lines
        connection.respond(error.status, headers, error_body(error, family, request_id))

    def _list(self, request: Request, path: bytes, family: Family) -> tuple[Key, bytes]:
        """`GET /v1/models` and `GET /v1/models/{id}`, in the client's form. Raises GatewayError."""
        if is_unserved(path):
            raise NotServed()
        for base in _MODELS.get(family, (b"/v1/models",)):
            if path == base or path.startswith(base + b"/"):
                break
        else:
            raise EndpointNotFound()
        if request.method not in (b"GET", b"HEAD"):  # both are to be supported: RFC 9110, 9.1
            raise MethodNotAllowed("Use GET.")
        query = request.target.partition(b"?")[2]
        key = key_of(self._plane, credential(request.headers, query))
        if key is None:
            raise InvalidKey()
        snapshot = self._plane.catalog.snapshot
        if snapshot is not self._models.snapshot:
            self._models = ModelList(snapshot)
        body = self._models.find(family, unquote(path[len(base) + 1 :].decode("latin-1")))
        if body is None:
            raise ModelNotFound(param="model")
        return key, body


def credential(headers: dict[bytes, bytes], query: bytes) -> str:
    """The caller's key as an Authorization header's value, wherever it stood; empty for none."""
    value = headers.get(b"authorization")
    if value is not None:
        return value.decode("latin-1")
    value = headers.get(b"x-api-key") or headers.get(b"x-goog-api-key")
    if value is None and b"key=" in query:
        value = unquote_to_bytes(b"&%b" % query).partition(b"&key=")[2].partition(b"&")[0]
    return f"Bearer {value.decode('latin-1')}" if value else ""
