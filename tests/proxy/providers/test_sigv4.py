"""Signature Version 4, against an oracle of a few lines that gives AWS's own published signatures.

Source of the vectors: AWS General Reference, "Signature Version 4 test suite" (get-vanilla and
post-vanilla). The paths and bodies of a request are compared with those of botocore's own client.
"""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import botocore.auth
import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from gateway.proxy.dialects.converse import CONVERSE
from gateway.proxy.dialects.neutral import Conversation, Media, Message, Text
from gateway.proxy.providers.bedrock import signature

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
STAMP = "20150830T123600Z"
VECTORS = {
    "GET": "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    "POST": "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
}
MODELS = (
    "eu.anthropic.claude-sonnet-4-5-v1:0",
    "us.amazon.nova-2-lite-v1:0",
    "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3",
)


def oracle(
    method: str, path: str, lines: dict[str, str], body: bytes, service: str, region: str
) -> str:
    """The signature as "Create a signed AWS API request" describes it, step by step."""
    names = sorted(lines)
    canonical = "\n".join(
        [
            method,
            "/".join(quote(part, safe="-_.~") for part in path.split("/")),
            "",
            *(f"{name}:{lines[name]}" for name in names),
            "",
            ";".join(names),
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = f"{STAMP[:8]}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{SECRET}".encode()
    for step in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{STAMP}\n{scope}\n{digest}"):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    return key.hex()


@pytest.mark.parametrize("method", VECTORS)
def test_the_oracle_gives_the_published_signatures(method: str) -> None:
    lines = {"host": "example.amazonaws.com", "x-amz-date": STAMP}
    assert oracle(method, "/", lines, b"", "service", "us-east-1") == VECTORS[method]


@pytest.fixture(autouse=True)
def that_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: AT)


@pytest.mark.parametrize("token", ["", "FwoGZX/token+of=a/session"])
@pytest.mark.parametrize("model", MODELS)
def test_a_request_is_signed_as_described(model: str, token: str) -> None:
    path = f"/model/{quote(model, safe='')}/converse-stream"
    host, body = "bedrock-runtime.eu-west-1.amazonaws.com", '{"é":1}'.encode()
    api_key = f"{KEY}:{SECRET}" + (f":{token}" if token else "")
    signed = signature(f"https://{host}{path}", body, api_key, "eu-west-1")
    lines = {"content-type": "application/json", "host": host, "x-amz-date": STAMP}
    if token:
        lines["x-amz-security-token"] = token
    assert signed["X-Amz-Date"] == STAMP
    assert signed.get("X-Amz-Security-Token", "") == token
    assert signed["Authorization"] == (
        f"AWS4-HMAC-SHA256 Credential={KEY}/20150830/eu-west-1/bedrock/aws4_request, "
        f"SignedHeaders={';'.join(sorted(lines))}, "
        f"Signature={oracle('POST', path, lines, body, 'bedrock', 'eu-west-1')}"
    )


def sent_by_botocore(model: str, body: dict[str, Any]) -> tuple[str, dict[str, Any], str]:
    """Path, body and Authorization of botocore's own client; nothing goes out."""
    session: Any = botocore.session.get_session()
    client = session.create_client(
        "bedrock-runtime",
        region_name="eu-west-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        config=Config(auth_scheme_preference="sigv4"),
    )
    caught: list[Any] = []

    def catch(request: Any, **_: Any) -> AWSResponse:
        caught.append(request)
        response: Any = AWSResponse
        made: AWSResponse = response(request.url, 500, {}, None)
        made._content = b"{}"
        return made

    client.meta.events.register("before-send.bedrock-runtime.Converse", catch)
    with pytest.raises(Exception, match="500"):
        client.converse(modelId=model, **body)
    request = caught[0]
    authorization = request.headers["Authorization"]
    if isinstance(authorization, bytes):
        authorization = authorization.decode()
    return urlsplit(request.url).path, json.loads(request.body), authorization


@pytest.mark.parametrize("model", MODELS)
def test_botocores_client_sends_the_same(monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    picture = Media("image", "image/png", base64.b64encode(b"\x89PNG").decode())
    conversation = Conversation(
        model, (Message("system", (Text("s"),)), Message("user", (Text("hi"), picture)))
    )
    written = json.loads(CONVERSE.write_request(conversation))
    plain = json.loads(json.dumps(written))
    plain["messages"][0]["content"][1]["image"]["source"]["bytes"] = b"\x89PNG"
    path, body, authorization = sent_by_botocore(model, plain)
    assert path == f"/model/{quote(model, safe='')}/converse"
    assert body == written
    assert "/eu-west-1/bedrock/aws4_request" in authorization
