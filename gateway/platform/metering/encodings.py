"""Which encodings the counter knows, and which of them counts a model's tokens.

The counter itself is compiled; this is its list and the default, so that a catalog with a wrong
name is refused when it is applied and not when a request comes. Families whose vocabulary is
public are counted exactly; the others by an estimate, whose measured error stands beside its
factor in the compiled counter.
"""

from gateway._native import tokens
from gateway.platform.metering import rank_files

DEFAULT_ENCODING = "o200k_base"

# Longest prefix wins. Sources: OpenAI: tiktoken/model.py. The others: each model's published
# tokenizer (Hugging Face): one vocabulary serves DeepSeek V3 to V3.2 and R1, Qwen 1 to 3, GLM-4 to
# 4.6, Mistral's Tekken models since NeMo, and Kimi K2. Names without a public vocabulary, and
# generations whose vocabulary is another than the packaged one, are estimates.
ENCODINGS = {
    **dict.fromkeys(("gpt-4o", "gpt-4.1", "gpt-4.5", "gpt-5", "gpt-oss"), "o200k_base"),
    **dict.fromkeys(("chatgpt-4o", "o1", "o3", "o4", "codex", "computer-use"), "o200k_base"),
    **dict.fromkeys(("gpt-4", "gpt-3.5", "gpt-35", "text-embedding", "davinci-002"), "cl100k_base"),
    "babbage-002": "cl100k_base",
    "deepseek": "deepseek_v3",
    **dict.fromkeys(("qwen", "qwq", "qvq"), "qwen"),
    **dict.fromkeys(("qwen3.5", "qwen3.6", "qwen3.7", "qwen4"), "estimate_other"),
    "glm": "estimate_other",
    "glm-4": "glm4",
    **dict.fromkeys(("mistral", "ministral", "magistral", "open-mistral-nemo"), "tekken"),
    **dict.fromkeys(("pixtral", "devstral", "codestral", "voxtral"), "tekken"),
    **dict.fromkeys(("kimi", "moonshot"), "kimi_k2"),
    "claude": "estimate_claude",
    **dict.fromkeys(("gemini", "gemma"), "estimate_gemini"),
    **dict.fromkeys(("doubao", "seed", "minimax", "abab", "llama", "grok"), "estimate_other"),
}


def known_encodings() -> frozenset[str]:
    """The names that a model's `encoding` may have."""
    return frozenset(name for name in tokens.encodings() if not rank_files.refusal(name))


def refusal(name: str) -> str | None:
    """Why no model's `encoding` may have this name, in one clause; None where one may."""
    if name not in tokens.encodings():
        return f"unknown encoding {name!r}"
    return rank_files.refusal(name)


def preload(names: frozenset[str]) -> None:
    """Load the vocabularies of these encodings, so that no first request waits for one.

    From any thread: others run meanwhile.
    """
    for name in sorted(names):
        tokens.load(name)


def encoding_for_model(name: str) -> str:
    """The encoding that counts a model's tokens; `estimate_other` for an unknown name.

    A provider's path is ignored ("openai/gpt-4o"), and so is a fine-tune's ("ft:gpt-4o:...").
    """
    bare = name.lower().rsplit("/", 1)[-1].removeprefix("ft:")
    for end in range(len(bare), 0, -1):
        if found := ENCODINGS.get(bare[:end]):
            return found
    return "estimate_other"
