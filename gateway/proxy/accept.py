# cython: annotation_typing=True
"""Phase 2, accept: the body is JSON of a known shape; the fields the gateway acts on are read.

One native pass checks the whole document and finds the spans of those fields; the rest of the
body is never decoded and passes on as it came. Nothing here knows keys, models or money.
"""

import asyncio
from collections.abc import Mapping

from gateway._native.jsonscan import (
    BACKGROUND,
    MODEL,
    MODELS,
    STREAM,
    STREAM_OPTIONS,
    N,
    RequestScan,
    scan_request,
)
from gateway.base.errors import InvalidRequest, UnsupportedMedia
from gateway.proxy.dialects.unserved import (
    refuse_items,
    refuse_unserved,
    without_bare_reasoning,
)
from gateway.proxy.exchange import Exchange
from gateway.proxy.fields import field, limit_spans
from gateway.proxy.media.request import read_request
from gateway.proxy.routing.asked import HEADER, from_body, from_header

# What a coroutine returns: named so, or Cython writes C of it that newer compilers refuse.
Scan = RequestScan
JSON = b"application/json"
MAX_MODEL_CHARS = 256
MAX_CHOICES = 128
MAX_OUTPUT_TOKENS = 2**31 - 1
THREAD_SCAN_BYTES = 512 * 1024  # larger bodies are scanned off the loop
THREAD_DECODE_BYTES = 64 * 1024  # so are larger ones of which more is decoded
THREAD_MEDIA_BYTES = 32 * 1024  # forms are parsed in Python, and an audio file's headers too


async def accept(x: Exchange) -> None:
    """Read model, stream, n and the output maximum.

    Raises InvalidRequest, UnsupportedMedia, FieldNotServed.
    """
    if x.endpoint.media:
        await _accept_media(x)
        return
    check_headers(x.headers)
    gemini = x.endpoint.family == "gemini"
    scan: RequestScan
    if len(x.body) > THREAD_SCAN_BYTES:
        scan = await asyncio.to_thread(scan_request, x.body)
    else:
        scan = scan_request(x.body, None, True)
    whole = scan.member("generateContentRequest") if gemini else None
    if whole is not None:  # what to count stands one level down
        x.body = x.body[whole[0] : whole[1]]
        scan = await scanned(x.body)
    if not scan.valid():
        raise wrong(scan)
    if scan.span(MODELS) is not None or HEADER in x.headers:
        scan = await _take_fallbacks(x, scan)
    x.scan = scan
    model = x.model_name if gemini else field(x.body, scan.span(MODEL))
    if not isinstance(model, str) or not 0 < len(model) <= MAX_MODEL_CHARS:
        raise InvalidRequest("`model` must be a model's name.", param="model")
    x.model_name = model
    if not gemini:  # where the path says it
        stream = field(x.body, scan.span(STREAM))
        if stream is not None and not isinstance(stream, bool):
            raise InvalidRequest("`stream` must be true or false.", param="stream")
        x.stream = bool(stream)
    if x.stream and not x.endpoint.streams:
        raise InvalidRequest("This endpoint does not stream.", param="stream")
    background = scan.span(BACKGROUND)
    if background is not None and field(x.body, background) not in (None, False):
        # Such an answer is fetched later, past the meter.
        raise InvalidRequest("Background answers are not served here.", param="background")
    if not x.endpoint.counts and (
        scan.watched or scan.references or x.endpoint.name == "responses"
    ):
        scan = x.scan = await _refuse_unserved(x, scan)
    _read_limits(x, scan)
    asked = scan.span(STREAM_OPTIONS)
    if asked is not None and x.endpoint.usage_option:
        options = field(x.body, asked)
        if options is not None and not isinstance(options, dict):
            raise InvalidRequest("`stream_options` must be an object.", param="stream_options")
        if options is not None and not x.stream:
            raise InvalidRequest("`stream_options` goes with `stream`.", param="stream_options")
        x.usage_asked = options is not None and options.get("include_usage") is True


def check_headers(headers: Mapping[bytes, bytes]) -> None:
    """The body is said to be plain JSON, or nothing is said of it. Raises UnsupportedMedia."""
    media = headers.get(b"content-type", JSON)
    if media != JSON and media.partition(b";")[0].strip().lower() not in (JSON, b""):
        raise UnsupportedMedia("Send the body as application/json.")
    coding = headers.get(b"content-encoding")
    if coding is not None and coding.lower() not in (b"identity", b""):
        raise UnsupportedMedia("Send the body uncompressed.")


def wrong(scan: RequestScan) -> InvalidRequest:
    """Why a scan is not valid."""
    if scan.error is not None:
        return InvalidRequest(f"The body is not valid: {scan.error}.")
    return InvalidRequest(f"The field {scan.duplicate!r} is given twice.", param=scan.duplicate)


async def _take_fallbacks(x: Exchange, scan: RequestScan) -> Scan:
    """Read the fallback models a client lists, and take them out of the body."""
    x.fallback_names = from_header(x.headers.get(HEADER, b""))
    if scan.models is not None:
        names, x.body = from_body(x.body, scan)
        x.fallback_names += names
        if len(x.body) > THREAD_SCAN_BYTES:
            return await asyncio.to_thread(scan_request, x.body)
        return scan_request(x.body)
    return scan


async def _refuse_unserved(x: Exchange, scan: RequestScan) -> Scan:
    """Refuse what would pass unpriced, or is not the caller's. The scan of the body as it is now.

    Only a request that has one of the fields in question is looked at, and any of Responses.
    """
    responses = x.endpoint.name == "responses"
    long = len(x.body) > THREAD_DECODE_BYTES
    if scan.watched or scan.references:
        if long:
            await asyncio.to_thread(refuse_unserved, x.endpoint, x.body, scan)
        else:
            refuse_unserved(x.endpoint, x.body, scan)
    if responses:
        bare = (
            await asyncio.to_thread(refuse_items, x.body, scan)
            if long
            else (refuse_items(x.body, scan))
        )
        if bare:
            make = without_bare_reasoning
            x.body = await asyncio.to_thread(make, x.body, scan) if long else make(x.body, scan)
            scan = await scanned(x.body)
    return scan


async def _accept_media(x: Exchange) -> None:
    """Read what a media endpoint is asked for; forms and audio are always parsed off the loop."""
    if x.headers.get(b"content-encoding", b"identity").lower() not in (b"identity", b""):
        raise UnsupportedMedia("Send the body uncompressed.")
    media_type = x.headers.get(b"content-type", b"")
    if len(x.body) > THREAD_MEDIA_BYTES:
        media = await asyncio.to_thread(read_request, x.endpoint, media_type, x.body)
    else:
        media = read_request(x.endpoint, media_type, x.body)
    x.media, x.model_name, x.stream = media, media.model, media.stream
    if media.scan is not None:
        x.scan = media.scan


async def scanned(body: bytes) -> Scan:
    """One native pass over the body, off the loop where it is long."""
    if len(body) > THREAD_SCAN_BYTES:
        return await asyncio.to_thread(scan_request, body)
    return scan_request(body)


def _read_limits(x: Exchange, scan: RequestScan) -> None:
    gemini = x.endpoint.family == "gemini"
    for name, span in limit_spans(scan, gemini):
        value = field(x.body, span)
        if value is None:
            continue
        if type(value) is not int or not 1 <= value <= MAX_OUTPUT_TOKENS:
            raise InvalidRequest(f"`{name}` must be a whole number of at least 1.", param=name)
        x.max_tokens = value if x.max_tokens is None else min(x.max_tokens, value)
    name, counted = "n", scan.span(N)
    if gemini:
        name = "candidateCount"
        counted = scan.inside(name) or scan.inside("candidate_count")
    choices = None if counted is None else field(x.body, counted)
    if choices is not None:
        if type(choices) is not int or not 1 <= choices <= MAX_CHOICES:
            raise InvalidRequest(f"`{name}` must be from 1 to {MAX_CHOICES}.", param=name)
        x.choices = choices
