"""Deterministic unit vectors for texts: the same text gives the same vector, for ever.

Pure. A vector is drawn from SHAKE-256 of its text and scaled to length one. Source of the shape:
the OpenAI API reference, "Embeddings"; base64 is little-endian 32-bit floats.
"""

import base64
import hashlib
import math
import struct
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from gateway.proxy.providers.sandbox.request import Rejected

DEFAULT_DIMENSIONS = 256
MAX_DIMENSIONS = 4096
MAX_INPUTS = 2048  # the OpenAI API's own limit
_encode = msgspec.json.Encoder().encode


class _Embeddings(msgspec.Struct):
    input: str | list[Any]
    dimensions: Annotated[int, msgspec.Meta(ge=1, le=MAX_DIMENSIONS)] | None = None
    encoding_format: str | None = None


_request = msgspec.json.Decoder(_Embeddings)


def vector(text: bytes, dimensions: int) -> list[float]:
    """A unit vector of so many dimensions."""
    raw = hashlib.shake_256(text).digest(2 * dimensions)
    numbers = struct.unpack(f"<{dimensions}h", raw)
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return [number / length for number in numbers]


def embeddings_beats(body: bytes, model: str, numbers: dict[str, int] | None) -> Iterator[bytes]:
    """The JSON body in slices, one vector each, so that many texts never stall the loop.

    Raises Rejected, before the first slice.
    """
    try:
        request = _request.decode(body)
    except msgspec.ValidationError as error:
        raise Rejected(f"The request is not valid: {error}.") from None
    except msgspec.DecodeError:
        raise Rejected("The request is not valid JSON.") from None
    if request.encoding_format not in (None, "float", "base64"):
        raise Rejected("`encoding_format` is `float` or `base64`.", "encoding_format")
    texts = _texts(request.input)
    return _beats(
        texts,
        request.dimensions or DEFAULT_DIMENSIONS,
        model,
        numbers,
        packed=request.encoding_format == "base64",
    )


def _texts(given: str | list[Any]) -> list[bytes]:
    """Each input as bytes to draw from; tokens given by number are as good as any text."""
    if isinstance(given, str):
        inputs: list[Any] = [given]
    else:
        inputs = [given] if given and all(type(one) is int for one in given) else given
    if not 1 <= len(inputs) <= MAX_INPUTS:
        raise Rejected(f"`input` takes 1 to {MAX_INPUTS} texts.", "input")
    texts: list[bytes] = []
    for one in inputs:
        if not isinstance(one, str | list) or not one:
            raise Rejected("`input` is a text or a list of texts, none of them empty.", "input")
        texts.append(one.encode() if isinstance(one, str) else _encode(one))
    return texts


def _beats(
    texts: list[bytes],
    dimensions: int,
    model: str,
    numbers: dict[str, int] | None,
    *,
    packed: bool,
) -> Iterator[bytes]:
    separator = b'{"object":"list","model":' + _encode(model) + b',"data":['
    for index, text in enumerate(texts):
        values = vector(text, dimensions)
        embedding: Any = values
        if packed:
            embedding = base64.b64encode(struct.pack(f"<{dimensions}f", *values)).decode()
        item = {"object": "embedding", "index": index, "embedding": embedding}
        yield separator + _encode(item)
        separator = b","
    if numbers is None:
        yield b"]}"
        return
    usage = {"prompt_tokens": numbers["prompt"], "total_tokens": numbers["prompt"]}
    yield b'],"usage":' + _encode(usage) + b"}"
