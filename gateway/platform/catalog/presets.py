"""The catalog offered at the first start: the sandbox, and providers whose key is at hand.

The entries are data (`presets.toml`, the format of `catalog apply`); a provider is offered when
the environment variable that its `api_key` names is set.
"""

import functools
from collections.abc import Mapping
from pathlib import Path

from gateway.platform.catalog.document import ENV_PREFIX, Document, ProviderEntry, parse

PRESETS = Path(__file__).with_name("presets.toml")


@functools.cache
def read_presets() -> Document:
    """Every entry of the data file."""
    return parse(PRESETS.read_text("utf-8"), PRESETS.name)


def offered(environ: Mapping[str, str], *, sandbox: bool = True) -> Document:
    """The presets that can work here: by the variables that are set, and the sandbox setting."""
    presets = read_presets()
    providers = {
        name: entry
        for name, entry in presets.providers.items()
        if (sandbox if entry.kind == "sandbox" else _has_key(entry, environ))
    }
    models = {
        name: model
        for name, model in presets.models.items()
        if all(target.provider in providers for target in model.targets)
    }
    return Document(providers, models)


def _has_key(entry: ProviderEntry, environ: Mapping[str, str]) -> bool:
    if entry.api_key is None or not entry.api_key.startswith(ENV_PREFIX):
        return False
    return bool(environ.get(entry.api_key.removeprefix(ENV_PREFIX), "").strip())
