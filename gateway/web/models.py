"""The list of models in the forms of the three APIs whose clients ask for it.

Rendered once per snapshot of the catalog and form, then answered from memory. Sources: the API
references of OpenAI (list models), Anthropic (list models) and Google (models.list). Nothing here
knows keys or requests.
"""

from datetime import UTC, datetime

import msgspec

from gateway.platform.catalog import Model, Snapshot

_encode = msgspec.json.Encoder().encode


class ModelList:
    """The rendered lists of one snapshot. The name "" is the whole list."""

    __slots__ = ("_rendered", "snapshot")

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._rendered: dict[str, dict[str, bytes]] = {}

    def find(self, family: str, name: str) -> bytes | None:
        """The JSON of one model, or of all for ""; None for a name that is not offered."""
        rendered = self._rendered.get(family)
        if rendered is None:
            rendered = self._rendered[family] = _render(family, self.snapshot)
        return rendered.get(name)


def _render(family: str, snapshot: Snapshot) -> dict[str, bytes]:
    describe = {"anthropic": _anthropic, "gemini": _gemini}.get(family, _openai)
    objects = {name: describe(model) for name, model in snapshot.models.items()}
    listed = list(objects.values())
    whole: dict[str, object] = {"object": "list", "data": listed}
    if family == "anthropic":
        names: list[str | None] = [*objects] or [None]
        ends = {"first_id": names[0], "last_id": names[-1]}
        whole = {"data": listed, "has_more": False, **ends}
    elif family == "gemini":
        whole = {"models": listed}
    rendered = {"": _encode(whole)} | {name: _encode(value) for name, value in objects.items()}
    for alias, model in snapshot.aliases.items():
        key, value = ("name", f"models/{alias}") if family == "gemini" else ("id", alias)
        rendered[alias] = _encode({**objects[model.name], key: value})
    return rendered


def _openai(model: Model) -> dict[str, object]:
    """`owned_by` is the first provider's name."""
    return {
        "id": model.name,
        "object": "model",
        "created": model.created_s,
        "owned_by": model.targets[0].provider.name if model.targets else "tallygate",
    }


def _anthropic(model: Model) -> dict[str, object]:
    created = datetime.fromtimestamp(model.created_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "type": "model",
        "id": model.name,
        "display_name": model.name,
        "created_at": created,
        "max_input_tokens": model.context_tokens,
        "max_tokens": model.max_output_tokens,
    }


def _gemini(model: Model) -> dict[str, object]:
    return {
        "name": f"models/{model.name}",
        "version": "1",
        "displayName": model.name,
        "inputTokenLimit": model.context_tokens,
        "outputTokenLimit": model.max_output_tokens,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    }
