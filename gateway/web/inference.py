"""The inference door: maps `/v1/` requests to exchanges, and answers the model list itself.

The only web file that starts the data plane. Routes on the raw path alone.
"""

from urllib.parse import unquote

import msgspec

from gateway.base.errors import (
    EndpointNotFound,
    GatewayError,
    InvalidKey,
    MethodNotAllowed,
    ModelNotFound,
    NotServed,
)
from gateway.platform.catalog import Model, Snapshot
from gateway.proxy.authenticate import key_of
from gateway.proxy.dialects.endpoints import ENDPOINTS, KNOWN_UNSERVED
from gateway.proxy.dialects.openai import error_body, error_headers
from gateway.proxy.exchange import Exchange, Plane
from gateway.proxy.pipeline import serve
from gateway.web.connection import Connection
from gateway.web.parser import Request

_encode = msgspec.json.Encoder().encode


class Inference:
    """Serves the requests of all connections with one data plane."""

    __slots__ = ("_listed", "_plane", "_snapshot")

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._snapshot: Snapshot | None = None
        self._listed: dict[str, bytes] = {}

    def serve(self, connection: Connection, request: Request) -> None:
        """Start the exchange of a POST to an endpoint; answer anything else at once."""
        path = request.target.partition(b"?")[0]
        endpoint = ENDPOINTS.get(path)
        if endpoint is None or request.method != b"POST":
            self._answer(connection, request, path)
            return
        headers = request.headers
        x = Exchange(
            self._plane,
            connection,
            endpoint,
            request.body,
            headers.get(b"authorization", b"").decode("latin-1"),
            headers.get(b"content-type", b"").decode("latin-1"),
            headers.get(b"content-encoding", b"").decode("latin-1"),
        )
        connection.carry(x)
        connection.task = self._plane.loop.create_task(serve(x))

    def _answer(self, connection: Connection, request: Request, path: bytes) -> None:
        """Everything that costs nothing: models, and clear words for the rest."""
        request_id = self._plane.ids.make("req")
        try:
            body = self._models(request, path)
        except GatewayError as error:
            self._plane.metrics.series("", "", error.status).duration.observe(0)
            headers = error_headers(error, request_id)
            if isinstance(error, MethodNotAllowed):  # RFC 9110, 15.5.6
                headers += b"Allow: POST\r\n" if path in ENDPOINTS else b"Allow: GET\r\n"
            connection.respond(error.status, headers, error_body(error))
            return
        lines = f"Content-Type: application/json\r\nx-request-id: {request_id}\r\n"
        connection.respond(200, lines.encode(), body)

    def _models(self, request: Request, path: bytes) -> bytes:
        """`GET /v1/models` and `GET /v1/models/{id}`. Raises GatewayError for all else."""
        if path in ENDPOINTS:
            raise MethodNotAllowed("Use POST.")
        if path.startswith(KNOWN_UNSERVED):
            raise NotServed()
        if path != b"/v1/models" and not path.startswith(b"/v1/models/"):
            raise EndpointNotFound()
        if request.method != b"GET":
            raise MethodNotAllowed("Use GET.")
        authorization = request.headers.get(b"authorization", b"").decode("latin-1")
        if key_of(self._plane, authorization) is None:
            raise InvalidKey()
        snapshot = self._plane.catalog.snapshot
        if snapshot is not self._snapshot:
            self._snapshot = snapshot
            objects = {name: _describe(model) for name, model in snapshot.models.items()}
            self._listed = {name: _encode(value) for name, value in objects.items()}
            for alias, model in snapshot.aliases.items():
                self._listed[alias] = _encode({**objects[model.name], "id": alias})
            self._listed[""] = _encode({"object": "list", "data": list(objects.values())})
        name = unquote(path[len(b"/v1/models/") :].decode("latin-1"))
        if name not in self._listed:
            raise ModelNotFound(param="model")
        return self._listed[name]


def _describe(model: Model) -> dict[str, object]:
    """The OpenAI model object; `owned_by` is the first provider's name."""
    return {
        "id": model.name,
        "object": "model",
        "created": model.created_s,
        "owned_by": model.targets[0].provider.name if model.targets else "tallygate",
    }
