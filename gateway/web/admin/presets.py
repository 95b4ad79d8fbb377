"""Administrative commands over the presets: list the providers known, and add one with its models.

What a preset says is data of the catalog room; adding one never changes an entry that is there.
"""

import json
from dataclasses import replace
from typing import Any

import msgspec

from gateway.platform.assembly import Platform
from gateway.platform.catalog.document import Document, ProviderEntry, nearest, parse
from gateway.platform.catalog.presets import read_presets
from gateway.platform.catalog.render import shown_api_key
from gateway.platform.refusals import Refusal
from gateway.web.admin.reports import Nothing


class NewProvider(msgspec.Struct, forbid_unknown_fields=True):
    """A preset's name; the key and the address to use in place of the preset's own."""

    preset: str
    key: str | None = None
    base_url: str | None = None
    dry_run: bool = False


async def providers_presets(platform: Platform, _: Nothing) -> Any:
    """Every preset: where it is, which key it wants, what it serves, and whether it is there."""
    presets = read_presets()
    present = platform.catalog.snapshot.providers
    return [
        {
            "preset": name,
            "base_url": entry.base_url,
            "api_key": shown_api_key(entry.api_key) if entry.api_key else None,
            "endpoints": list(entry.endpoints),
            "quirks": list(entry.quirks),
            "models": [
                model.name
                for model in presets.models.values()
                if any(target.provider == name for target in model.targets)
            ],
            "added": name in present,
        }
        for name, entry in presets.providers.items()
        if entry.kind != "sandbox"
    ]


async def providers_add(platform: Platform, p: NewProvider) -> Any:
    """Add a preset's provider and models. Raises Refusal; what is there already stays as it is."""
    presets = read_presets()
    known = {name for name, entry in presets.providers.items() if entry.kind != "sandbox"}
    if p.preset not in known:
        raise Refusal(f"no preset {p.preset[:64]!r}{nearest(p.preset, known)}")
    entry = presets.providers[p.preset]
    if p.key is not None:
        entry = replace(entry, api_key=p.key)
    if p.base_url is not None:
        entry = replace(entry, base_url=p.base_url)
    models = {
        name: model
        for name, model in presets.models.items()
        if all(target.provider == p.preset for target in model.targets)
    }
    _check(entry)
    wanted = Document({p.preset: entry}, models)
    changes = await platform.catalog.apply_document(wanted, dry_run=p.dry_run, only_new=True)
    warnings = () if p.dry_run else platform.catalog.snapshot.warnings
    return {
        "changes": [str(change) for change in changes],
        "dry_run": p.dry_run,
        "warnings": [text for text in warnings if p.preset in text],
    }


def _check(entry: ProviderEntry) -> None:
    """Key and address must be what a catalog file may say. Raises CatalogError."""
    words = {"name": entry.name, "base_url": entry.base_url, "api_key": entry.api_key}
    lines = [f"{key} = {json.dumps(value)}" for key, value in words.items() if value is not None]
    parse("[[providers]]\n" + "\n".join(lines), "the preset")
