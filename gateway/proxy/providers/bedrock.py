"""Amazon Bedrock, signed with Signature Version 4: Anthropic's models, and all others.

Source: Amazon Bedrock API reference. Anthropic's models are asked through `InvokeModel` and
`InvokeModelWithResponseStream` ("Anthropic Claude Messages API"): the body is a Messages request
without `model` and `stream`, which the path says, and with `anthropic_version`; betas stand in the
body. All others through `Converse` and `ConverseStream`; so too an ARN that does not say whose
model it stands for, unless the provider's `endpoints` name `messages` alone. Embeddings go through
`InvokeModel`, in as many requests as the model needs: see `batch`. The signature is botocore's, an
optional dependency (`pip install tallygate[bedrock]`). The key is `ACCESS_KEY_ID:SECRET`, with
`:SESSION_TOKEN` where it is temporary; without a colon it is a Bedrock API key, sent as a bearer.
"""

from typing import Any, cast
from urllib.parse import quote

import msgspec

from gateway.base.errors import UpstreamCredentials, UpstreamUnreachable
from gateway.platform.catalog import Target
from gateway.proxy.exchange import Exchange
from gateway.proxy.providers.anthropic import betas
from gateway.proxy.providers.batch import BatchWire, Lines, written
from gateway.proxy.providers.body import request_body
from gateway.proxy.providers.embedding import batch_of
from gateway.proxy.providers.http import HttpUpstream
from gateway.proxy.upstream.wire import Wire

VERSION = "bedrock-2023-05-31"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class BedrockUpstream(HttpUpstream):
    """One provider of kind `bedrock`."""

    __slots__ = ()

    def path(self, x: Exchange, target: Target) -> str:
        """The model and the operation."""
        if x.wire.name == "converse":
            operation = "converse-stream" if x.stream else "converse"
        else:
            operation = "invoke-with-response-stream" if x.stream else "invoke"
        return f"/model/{quote(target.model, safe='')}/{operation}"

    def take_idle(self) -> Wire | None:
        """A pooled connection that can carry a batch too, or None."""
        connection = super().take_idle()
        return None if connection is None else self._wire(connection)

    async def dial(self) -> Wire:
        """A new one."""
        return self._wire(await super().dial())

    def _wire(self, connection: Wire) -> Wire:
        lines = Lines(super().take_idle, super().dial, self._signed)
        return cast(Wire, BatchWire(connection, lines))

    def request(self, x: Exchange, target: Target) -> bytes:
        """Head and body, signed; or a batch, whose requests are signed as they are sent."""
        if x.wire.name == "embeddings":
            if self.provider.api_key is None:
                raise UpstreamCredentials()
            path = self.path(x, target)
            return written(batch_of(x.body, target.model, path, x.model_name))
        body = request_body(x, target)
        if x.wire.name == "messages":
            body = bedrock_body(body, [name.decode() for name in betas(x)])
        return self._signed(self.path(x, target), body)

    def _signed(self, path: str, body: bytes) -> bytes:
        lines = [
            f"POST {self.provider.path}{path} HTTP/1.1",
            *(f"{name}: {value}" for name, value in self._headers(path, body).items()),
            f"Content-Length: {len(body)}\r\n\r\n",
        ]
        return b"".join(("\r\n".join(lines).encode("latin-1"), body))

    def _headers(self, path: str, body: bytes) -> dict[str, str]:
        provider = self.provider
        if provider.api_key is None:
            raise UpstreamCredentials()
        headers = {
            "Host": self.host(),
            "Content-Type": "application/json",
            "Accept": "application/json, application/vnd.amazon.eventstream",
            "Accept-Encoding": "identity",
            "User-Agent": "tallygate",
        }
        if ":" not in provider.api_key:
            return headers | {"Authorization": f"Bearer {provider.api_key}"}
        url = f"{provider.scheme}://{self.host()}{provider.path}{path}"
        signed = signature(url, body, provider.api_key, provider.region or "us-east-1")
        return headers | signed


def bedrock_body(body: bytes, asked: list[str]) -> bytes:
    """A Messages request as Bedrock wants it; every other member keeps its bytes."""
    members = _decode(body)
    for name in ("model", "stream", "anthropic_version", "anthropic_beta"):
        members.pop(name, None)
    members["anthropic_version"] = msgspec.Raw(_encode(VERSION))
    if asked:
        members["anthropic_beta"] = msgspec.Raw(_encode(asked))
    return _encode(members)


def signature(url: str, body: bytes, api_key: str, region: str) -> dict[str, str]:
    """The header lines that sign a request: Authorization, X-Amz-Date, X-Amz-Security-Token."""
    try:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
    except ImportError:
        raise UpstreamUnreachable("Bedrock needs botocore: install tallygate[bedrock].") from None
    name, _, rest = api_key.partition(":")
    secret, _, token = rest.partition(":")
    make: Any = AWSRequest
    request = make("POST", url, data=body, headers={"Content-Type": "application/json"})
    sign: Any = SigV4Auth
    known: Any = Credentials
    sign(known(name, secret, token or None), "bedrock", region).add_auth(request)
    signed: dict[str, str] = dict(request.headers.items())
    signed.pop("Content-Type", None)
    return signed
