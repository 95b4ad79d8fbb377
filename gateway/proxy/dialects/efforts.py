"""How much an OpenAI model is told to reason: the word for a budget, and the word for "not at all".

Source: OpenAI's guide "Reasoning" and the pages of its models. `none` is known from gpt-5.1 on; the
models before it reason at least a little, and those that never reason refuse the field. A name that
is none of OpenAI's own (a deployment's, another maker's) is taken for a model that knows `none`.
"""

import re

# The largest budget, in tokens, that each word stands for.
_WORDS = ((2_048, "low"), (8_192, "medium"))
_NEVER = re.compile(r"(?:^|/)(?:chatgpt|gpt-[34]|gpt-5(?:\.\d+)?-chat)")
_MINIMAL = re.compile(r"(?:^|/)gpt-5(?:$|-(?:mini|nano|20\d\d))")
_LOW = re.compile(r"(?:^|/)(?:o[134](?:$|-)|gpt-5-|gpt-oss)")


def word_of(budget_tokens: int) -> str:
    """A budget of thinking as the word whose usual spending is nearest above."""
    return next((word for most, word in _WORDS if budget_tokens <= most), "high")


def least(model: str) -> str | None:
    """The word that asks a model not to reason, or as little as it can; None: say nothing."""
    if _NEVER.search(model):
        return None
    if _MINIMAL.search(model):
        return "minimal"
    return "low" if _LOW.search(model) else "none"
