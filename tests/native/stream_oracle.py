"""What a stream should come to, in plain Python: json.loads per event, no cleverness.

The compiled meter is compared with this at every split. Written from the wire's rules alone.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

TERMINAL_TYPES = {
    "responses": {"response.completed", "response.incomplete", "response.failed"},
    "anthropic": {"message_stop"},
}
DELTA_KINDS = {
    "response.output_text.delta": "content",
    "response.function_call_arguments.delta": "input",
    "response.reasoning_text.delta": "reasoning",
    "response.refusal.delta": "refusal",
}
Text = tuple[int, str, str]  # choice, kind, text as json.loads gives it


@dataclass
class Event:
    raw: bytes
    data: str | None
    name: str


@dataclass
class Expected:
    forwarded: bytes = b""
    held: bytes = b""
    usage: Any = None
    usage_start: Any = None
    error: Any = None
    model: str | None = None
    usage_events: int = 0
    malformed: int = 0
    texts: list[Text] = field(default_factory=list)


def split_events(stream: bytes) -> list[Event]:
    """The events of a stream; the last may lack its blank line."""
    events: list[Event] = []
    raw, data, name = b"", None, ""
    body = stream.removeprefix(b"\xef\xbb\xbf")
    raw = stream[: len(stream) - len(body)]
    for line in re.findall(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", body):
        raw += line
        text = line.rstrip(b"\r\n")
        if not text:
            events.append(Event(raw, data, name))
            raw, data, name = b"", None, ""
            continue
        key, _, value = text.partition(b":")
        value = value.removeprefix(b" ")
        if key == b"data":
            data = value.decode() if data is None else data + "\n" + value.decode()
        elif key == b"event":
            name = value.decode()
    if raw:
        events.append(Event(raw, data, name))
    return events


def join_surrogates(text: str) -> str:
    joined = re.sub(
        "[\ud800-\udbff][\udc00-\udfff]",
        lambda m: m[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le"),
        text,
    )
    return re.sub("[\ud800-\udfff]", "\ufffd", joined)


def pieces_by_choice(texts: list[Text]) -> list[list[bytes]]:
    """Runs of one kind within each choice, choices in the order of their first text."""
    runs: dict[int, list[tuple[str, str]]] = {}
    for choice, kind, text in texts:
        if not text:
            continue
        mine = runs.setdefault(choice, [])
        if mine and mine[-1][0] == kind:
            mine[-1] = (kind, mine[-1][1] + text)
        else:
            mine.append((kind, text))
    return [[join_surrogates(text).encode() for _, text in mine] for mine in runs.values()]


def message_texts(choice: int, message: dict[str, Any]) -> list[Text]:
    plain = {
        "content": "content",
        "reasoning": "reasoning",
        "reasoning_content": "reasoning",
        "refusal": "refusal",
    }
    out: list[Text] = []
    for key, value in message.items():
        if key in plain and isinstance(value, str):
            out.append((choice, plain[key], value))
        elif key == "content" and isinstance(value, list):
            out += [(choice, "content", part["text"]) for part in value if "text" in part]
        elif key == "tool_calls":
            for call in value or []:
                out += function_texts(choice, call.get("function", {}))
        elif key == "function_call" and value:
            out += function_texts(choice, value)
        elif key == "audio" and value and "transcript" in value:
            out.append((choice, "transcript", value["transcript"]))
    return out


def function_texts(choice: int, function: dict[str, Any]) -> list[Text]:
    kinds = {"name": "name", "arguments": "input"}
    return [(choice, kinds[k], v) for k, v in function.items() if k in kinds]


def choice_texts(obj: dict[str, Any], member: str | None) -> list[Text]:
    out: list[Text] = []
    for position, choice in enumerate(obj.get("choices") or []):
        index = choice.get("index")
        index = index if type(index) is int and index >= 0 else position
        if member is None:
            out += [(index, "content", choice["text"])] if "text" in choice else []
        else:
            out += message_texts(index, choice.get(member) or {})
    return out


def responses_texts(obj: dict[str, Any]) -> list[Text]:
    index, kind = obj.get("output_index", 0), obj.get("type")
    out: list[Text] = []
    for key, value in obj.items():
        if key == "delta" and isinstance(value, str) and kind in DELTA_KINDS:
            out.append((index, DELTA_KINDS[kind], value))
        if key == "item" and kind == "response.output_item.added" and "name" in value:
            out.append((index, "name", value["name"]))
    return out


def anthropic_texts(obj: dict[str, Any]) -> list[Text]:
    kinds = {
        "text": "content",
        "thinking": "reasoning",
        "partial_json": "input",
        "name": "name",
    }
    out: list[Text] = []
    for key in obj:
        if key in ("delta", "content_block"):
            allowed = kinds.keys() - ({"name"} if key == "delta" else {"partial_json"})
            out += [(0, kinds[k], v) for k, v in obj[key].items() if k in allowed]
    return out


def gemini_texts(obj: dict[str, Any]) -> list[Text]:
    out: list[Text] = []
    for position, candidate in enumerate(obj.get("candidates") or []):
        index = candidate.get("index", position)
        for part in (candidate.get("content") or {}).get("parts", []):
            for key, value in part.items():
                if key == "text":
                    out.append((index, "reasoning" if part.get("thought") else "content", value))
                elif key == "functionCall":
                    out += [(index, "name", value[k]) for k in value if k == "name"]
    return out


def texts_of(dialect: str, obj: dict[str, Any]) -> list[Text]:
    if dialect == "gemini":
        return gemini_texts(obj)
    if dialect == "responses":
        return responses_texts(obj)
    if dialect == "anthropic":
        return anthropic_texts(obj)
    return choice_texts(obj, "delta" if dialect == "chat" else None)


def is_terminal(dialect: str, event: Event, obj: Any) -> bool:
    if dialect == "gemini":
        return False
    if dialect in ("chat", "completions"):
        return event.data is not None and event.data.startswith("[DONE]")
    types = TERMINAL_TYPES[dialect]
    return event.name in types or (isinstance(obj, dict) and obj.get("type") in types)


def note_object(dialect: str, obj: dict[str, Any], expected: Expected) -> bool:
    """Books one event's object; tells whether it carries usage and no choice."""
    inner = obj.get({"responses": "response", "anthropic": "message"}.get(dialect, ""), {})
    usage = inner.get("usage") if dialect == "responses" else obj.get("usage")
    if dialect == "gemini":
        usage = obj.get("usageMetadata")
    if isinstance(usage, dict):
        expected.usage = usage
        expected.usage_events += 1
    if dialect == "anthropic" and isinstance(inner.get("usage"), dict):
        expected.usage_start = inner["usage"]
    model = (inner if dialect in ("responses", "anthropic") else obj).get("model")
    if dialect == "gemini":
        model = obj.get("modelVersion")
    if isinstance(model, str):
        expected.model = expected.model or join_surrogates(model) or None
    expected.error = obj.get("error") or inner.get("error") or expected.error
    expected.texts += texts_of(dialect, obj)
    return isinstance(usage, dict) and obj.get("choices") == []


def expect(dialect: str, stream: bytes, remove_usage: bool) -> Expected:
    expected = Expected()
    ended = False
    for event in split_events(stream):
        obj: Any = None
        extra = False
        valid = True
        if event.data is not None and not ended:
            try:
                obj = json.loads(event.data)
            except ValueError:
                valid = False
        terminal = not ended and is_terminal(dialect, event, obj)
        if isinstance(obj, dict):
            extra = note_object(dialect, obj, expected)
        expected.malformed += not valid and not terminal
        if ended or terminal:
            expected.held += event.raw
        elif not (extra and remove_usage and dialect in ("chat", "completions")):
            expected.forwarded += event.raw
        ended = ended or terminal
    return expected
