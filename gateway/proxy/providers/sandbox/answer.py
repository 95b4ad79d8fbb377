"""What the sandbox will say to a request: choices of segments of pieces, and its exact usage.

Pure: request values in, an `Answer` out; the shapes on the wire are other files'. Segments follow
one another as the meter counts them: text on both sides of a segment's edge never merges, so the
usage reported is what the gateway counts itself.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from gateway._native.tokens import count
from gateway.proxy.providers.sandbox.options import Options
from gateway.proxy.providers.sandbox.schema import instance
from gateway.proxy.providers.sandbox.text import cut_at_stop, lorem, pieces_of, scale

LOREM_TOKENS = 64  # of an answer when nothing says otherwise
_encode = msgspec.json.Encoder().encode


class Call(NamedTuple):
    """A tool call's name; its arguments are the segment's pieces."""

    name: str


class Segment(NamedTuple):
    """Consecutive text of one kind: `reasoning`, `content` or `tool`."""

    kind: str
    pieces: list[str]
    call: Call | None = None

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.pieces)


class Choice(NamedTuple):
    """One choice; `finish` is `stop`, `length` or `tool_calls`."""

    segments: list[Segment]
    finish: str


class Wish(NamedTuple):
    """What a request asks for, the same for every endpoint.

    `structured` without a schema is any JSON object; `reasons` False leaves reasoning out, where
    an endpoint has no place for it.
    """

    text: str
    choices: int = 1
    max_tokens: int | None = None
    stops: tuple[str, ...] = ()
    tools: tuple[tuple[str, Any], ...] = ()
    structured: bool = False
    schema: Any = None
    seed: int = 0
    reasons: bool = True


class Answer(NamedTuple):
    """The choices and the tokens they are counted as; `reasoning` is a part of `output`."""

    choices: list[Choice]
    output: int
    reasoning: int


def answer(wish: Wish, model: str, options: Options, encoding: str, limit: int) -> Answer:
    """Everything the model says; `limit` is the model's own maximum of output tokens."""
    choices = [
        _choice(wish, number, model, options, encoding, limit) for number in range(wish.choices)
    ]
    output = reasoning = 0
    for choice in choices:
        for segment in choice.segments:
            tokens = count(segment.text, encoding)
            if segment.call is not None:
                tokens += count(segment.call.name, encoding)
            output += tokens
            if segment.kind == "reasoning":
                reasoning += tokens
    return Answer(choices, output, reasoning)


def _choice(
    wish: Wish, number: int, model: str, options: Options, encoding: str, limit: int
) -> Choice:
    seed = (options.seed if options.seed is not None else wish.seed) + number
    budget = limit if wish.max_tokens is None else min(limit, wish.max_tokens)
    take = scale(encoding).take
    segments: list[Segment] = []
    if options.think and wish.reasons:
        thought, spent, left = take(lorem(seed + 1), min(options.think, budget))
        segments.append(Segment("reasoning", thought))
        budget -= spent
        if options.think > spent and budget <= 0:
            return Choice(segments, "length")
    if wish.tools:
        return _call_tools(wish, segments, encoding, budget)
    wanted = limit if options.tokens is None else options.tokens
    if wish.structured:
        value = {"text": "lorem ipsum"} if wish.schema is None else instance(wish.schema)
        source: Iterator[str] = pieces_of(_encode(value).decode())
    elif model.endswith("echo"):
        source = pieces_of(wish.text)
    else:
        source = lorem(seed)
        wanted = LOREM_TOKENS if options.tokens is None else options.tokens
    pieces, _, left = take(source, min(wanted, budget))
    finish = "length" if left and (budget < wanted or wanted == limit) else "stop"
    if wish.stops:
        pieces, stopped = cut_at_stop(pieces, wish.stops)
        finish = "stop" if stopped else finish
    segments.append(Segment("content", pieces))
    return Choice(segments, finish)


def _call_tools(wish: Wish, segments: list[Segment], encoding: str, budget: int) -> Choice:
    finish = "tool_calls"
    for name, parameters in wish.tools:
        budget -= count(name, encoding)
        made = instance(parameters) or {}
        pieces, spent, left = scale(encoding).take(pieces_of(_encode(made).decode()), budget)
        budget -= spent
        segments.append(Segment("tool", pieces, Call(name)))
        if left:
            finish = "length"
            break
    return Choice(segments, finish)


def usage_numbers(answer: Answer, prompt_tokens: int, options: Options) -> dict[str, int] | None:
    """The numbers to report, wrong on purpose where the options ask for it; None is no report."""
    if options.usage == "none":
        return None
    if options.usage == "zero":
        return {"prompt": 0, "output": 0, "total": 0, "cached": 0, "reasoning": 0}
    if options.usage == "absurd":
        return {"prompt": -1, "output": 10**12, "total": -(10**12), "cached": 0, "reasoning": 0}
    return {
        "prompt": prompt_tokens,
        "output": answer.output,
        "total": prompt_tokens + answer.output,
        "cached": min(options.cached, prompt_tokens),
        "reasoning": answer.reasoning,
    }
