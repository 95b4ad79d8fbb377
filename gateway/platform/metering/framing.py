"""What a provider adds around the texts of a prompt: the overhead of the chat format.

Source: OpenAI cookbook, "How to count tokens with tiktoken": each message costs 3 tokens besides
its strings (role, content, name), and the reply is primed with 3 more.
"""

TOKENS_PER_MESSAGE = 3
REPLY_PRIMING_TOKENS = 3
TOKENS_PER_TOOL = 8

_FRAMED = frozenset(("chat", "responses"))


def framed_prompt_tokens(endpoint: str, text_tokens: int, messages: int, tools: int) -> int:
    """The prompt's tokens: those of its strings plus the format's, for endpoints with messages."""
    if endpoint not in _FRAMED:
        return text_tokens
    framing = TOKENS_PER_MESSAGE * max(messages, 1) + REPLY_PRIMING_TOKENS
    return text_tokens + framing + TOKENS_PER_TOOL * tools
