"""The presets' addresses are those that genai-prices knows the same providers by."""

import re
import tomllib
from importlib.resources import files
from typing import Any

import pytest
from genai_prices import data_snapshot

PRESETS = tomllib.loads(
    files("gateway.platform.catalog").joinpath("presets.toml").read_text("utf-8")
)
# How it names a provider where that is not the preset's name.
NAMES = {
    "gemini": "google",
    "gemini-openai": "google",
    "moonshot": "moonshotai",
    "zhipu": "zhipuai",
    "xai": "x-ai",
    "cohere-rerank": "cohere",
    "voyage": "voyageai",
}
# It knows no address of these; the file says where theirs is from.
UNKNOWN = {"dashscope", "doubao", "jina"}
OWN = {"sandbox", "vllm", "ollama", "lmstudio"}


def known(base_url: str) -> set[str]:
    providers: Any = data_snapshot.get_snapshot().providers
    return {each.id for each in providers if re.search(each.api_pattern, base_url)}


@pytest.mark.parametrize("preset", PRESETS["providers"], ids=lambda preset: preset["name"])
def test_an_address_is_the_providers(preset: dict[str, Any]) -> None:
    name = preset["name"]
    if name in OWN:
        assert "base_url" not in preset or preset["base_url"].startswith("http://127.0.0.1:")
    elif name in UNKNOWN:
        assert not known(preset["base_url"])  # it may have learnt it: then compare
    else:
        assert NAMES.get(name, name) in known(preset["base_url"])
        assert preset["base_url"].startswith("https://")
