"""OpenAI's embeddings put to the models that Bedrock offers, and their answers put back.

Sources: Bedrock user guide, "Amazon Titan Embeddings G1 - Text" (G1 and V2: one text a request),
"Cohere Embed v3" and "Cohere Embed v4" (up to 96 texts a request); tokens are told by Titan in its
answer and, for every model, in the header `x-amzn-bedrock-input-token-count`. The vectors pass as
they were written, but where a client asks for base64. Nothing here does I/O.
"""

import base64
from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from gateway.base.errors import InvalidRequest, Untranslatable, UpstreamBadResponse
from gateway.proxy.dialects.decoding import (
    AnswerStruct,
    RequestStruct,
    decode_answer,
    decode_request,
)

MAX_TEXTS = 2_048  # OpenAI API reference, "Create embeddings"
COHERE_TEXTS = 96
TOKENS = b"x-amzn-bedrock-input-token-count"
_INPUT_TYPE = "search_document"  # Cohere must be told one; a client may name another
_encode = msgspec.json.Encoder().encode


class Asked(RequestStruct):
    """The request. `input_type` is Cohere's; `user` goes no further."""

    input: Any
    model: str = ""
    dimensions: int | None = None
    encoding_format: str | None = None
    input_type: str | None = None
    user: Any = None


class Batch(msgspec.Struct):
    """What one request of a client's becomes: bodies for one path, to be answered in order."""

    path: str
    bodies: list[msgspec.Raw]
    texts: int
    model: str  # as the client calls it
    packed: bool  # vectors in base64


class Part(NamedTuple):
    """One answer of the provider's."""

    vectors: list[msgspec.Raw]
    tokens: int | None


class _Titan(AnswerStruct):
    embedding: msgspec.Raw
    inputTextTokenCount: int | None = None


class _Floats(AnswerStruct):
    float: list[msgspec.Raw]


class _Listed(AnswerStruct):
    embeddings: list[msgspec.Raw]


class _Typed(AnswerStruct):
    embeddings: _Floats


_ASKED = msgspec.json.Decoder(Asked)
_TITAN = msgspec.json.Decoder(_Titan)
_LISTED = msgspec.json.Decoder(_Listed)
_TYPED = msgspec.json.Decoder(_Typed)
_VECTOR = msgspec.json.Decoder(list[float])


def batch_of(body: bytes, model: str, path: str, shown: str) -> Batch:
    """The requests for a model. Raises InvalidRequest, and Untranslatable naming a field."""
    asked = decode_request(body, _ASKED)
    texts = _texts(asked.input)
    if asked.encoding_format not in (None, "float", "base64"):
        raise InvalidRequest("encoding_format must be float or base64.", param="encoding_format")
    if _is_titan(model):
        bodies = [_titan(text, asked, model) for text in texts]
    elif _is_cohere(model):
        groups = [texts[at : at + COHERE_TEXTS] for at in range(0, len(texts), COHERE_TEXTS)]
        bodies = [_cohere(group, asked, model) for group in groups]
    else:
        raise Untranslatable("This model embeds no text here.", param="model")
    raw = [msgspec.Raw(_encode(one)) for one in bodies]
    return Batch(path, raw, len(texts), shown, asked.encoding_format == "base64")


def part_of(body: bytes, headers: dict[bytes, bytes]) -> Part:
    """What one answer says. Raises UpstreamBadResponse."""
    counted = headers.get(TOKENS, b"")
    tokens = int(counted) if counted.isdigit() and len(counted) < 12 else None
    if b'"embeddings"' not in body:
        titan = decode_answer(body, _TITAN)
        told = titan.inputTextTokenCount
        return _checked([titan.embedding], tokens if told is None else max(0, told))
    try:
        return _checked(decode_answer(body, _LISTED).embeddings, tokens)
    except UpstreamBadResponse:
        return _checked(decode_answer(body, _TYPED).embeddings.float, tokens)


def _checked(vectors: list[msgspec.Raw], tokens: int | None) -> Part:
    if not all(bytes(vector).lstrip().startswith(b"[") for vector in vectors):
        raise UpstreamBadResponse
    return Part(vectors, tokens)


def joined(batch: Batch, parts: Sequence[Part]) -> bytes:
    """The whole answer as OpenAI gives it. Raises UpstreamBadResponse when a vector is missing.

    Usage is told only where the provider told all of it; else it is counted here.
    """
    vectors = [vector for part in parts for vector in part.vectors]
    if len(vectors) != batch.texts:
        raise UpstreamBadResponse
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _packed(vector) if batch.packed else vector,
        }
        for index, vector in enumerate(vectors)
    ]
    answer: dict[str, Any] = {"object": "list", "data": data, "model": batch.model}
    told = [part.tokens for part in parts]
    if None not in told:
        total = sum(count or 0 for count in told)
        answer["usage"] = {"prompt_tokens": total, "total_tokens": total}
    return _encode(answer)


def _packed(vector: msgspec.Raw) -> str:
    floats = array("f", decode_answer(bytes(vector), _VECTOR))
    return base64.b64encode(floats.tobytes()).decode()


def _texts(given: Any) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not 0 < len(texts) <= MAX_TEXTS:
        text = f"input must be a text or a list of at most {MAX_TEXTS} texts."
        raise InvalidRequest(text, param="input")
    if not all(isinstance(text, str) for text in texts):
        raise Untranslatable("The model's provider takes text, not tokens.", param="input")
    return texts


def _titan(text: str, asked: Asked, model: str) -> dict[str, Any]:
    if asked.input_type is not None:
        raise Untranslatable("Titan knows no types of input.", param="input_type")
    body: dict[str, Any] = {"inputText": text}
    if asked.dimensions is not None:
        if "-v2" not in model:
            raise Untranslatable("This model's vectors have one length.", param="dimensions")
        body["dimensions"] = asked.dimensions
    return body


def _cohere(texts: list[str], asked: Asked, model: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "texts": texts,
        "input_type": asked.input_type or _INPUT_TYPE,
        "embedding_types": ["float"],
    }
    if asked.dimensions is not None:
        if "embed-v4" not in model:
            raise Untranslatable("This model's vectors have one length.", param="dimensions")
        body["output_dimension"] = asked.dimensions
    return body


def _is_titan(model: str) -> bool:
    return "amazon.titan-embed-text" in model or "amazon.titan-embed-g1-text" in model


def _is_cohere(model: str) -> bool:
    return "cohere.embed" in model
