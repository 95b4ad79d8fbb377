"""An exchange's passage between two dialects: which translation it needs, and what that must know.

Empty for an exchange whose client speaks the target's own dialect.
"""

from asyncio import to_thread

from gateway.proxy.dialects.neutral import Facts
from gateway.proxy.dialects.translation import StreamTranslation, translate_answer
from gateway.proxy.exchange import Exchange

THREAD_TRANSLATE_BYTES = 64 << 10  # larger bodies are translated off the loop


def stream_translation(x: Exchange) -> StreamTranslation | None:
    """The translation of the stream that begins, if it needs one."""
    if x.wire is x.endpoint:
        return None
    return StreamTranslation(x.wire, x.endpoint, facts(x))


async def translated_body(x: Exchange, body: bytes) -> bytes:
    """A whole answer in the client's dialect. Raises UpstreamBadResponse."""
    if len(body) > THREAD_TRANSLATE_BYTES:
        return await to_thread(translate_answer, x.wire, x.endpoint, body, facts(x))
    return translate_answer(x.wire, x.endpoint, body, facts(x))


def facts(x: Exchange) -> Facts:
    """What a writer of answers needs to know of the request."""
    return Facts(
        id=x.id,
        model=x.model_name,
        created_s=x.started_us // 1_000_000,
        include_usage=x.usage_asked,
        measured_input=x.measured_input,
    )
