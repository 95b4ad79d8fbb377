"""The anthropic SDK."""

from typing import Any

import anthropic

from tests.fakes.clients.asking import (
    BUDGET_TOKENS,
    MAX_TOKENS,
    PICTURE,
    SCHEMA,
    SYSTEM,
    Ask,
    Told,
    weather,
)


async def messages(address: str, key: str, model: str, ask: Ask) -> list[Told]:
    """messages.create, or .stream with the SDK's own accumulation."""
    content: list[Any] = [{"type": "text", "text": ask.text}]
    if ask.picture:
        source = {"type": "base64", "media_type": "image/png", "data": PICTURE}
        content.append({"type": "image", "source": source})
    turns: list[Any] = [{"role": "user", "content": content}]
    asked: dict[str, Any] = {"model": model, "max_tokens": MAX_TOKENS, "system": SYSTEM}
    if ask.tools:
        tool = {"name": "weather", "description": "The weather.", "input_schema": SCHEMA}
        asked["tools"] = [tool]
    if ask.schema:
        asked["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
    if ask.think:
        asked["thinking"] = {"type": "enabled", "budget_tokens": BUDGET_TOKENS}
    told: list[Told] = []
    async with anthropic.AsyncAnthropic(base_url=address, api_key=key, max_retries=0) as client:
        while True:
            if ask.stream:
                async with client.messages.stream(messages=turns, **asked) as stream:
                    message: Any = await stream.get_final_message()
            else:
                message = await client.messages.create(messages=turns, **asked)
            blocks = message.content
            calls = [block for block in blocks if block.type == "tool_use"]
            usage = message.usage
            caches = (usage.cache_read_input_tokens, usage.cache_creation_input_tokens)
            details = usage.output_tokens_details
            told.append(
                Told(
                    "".join(block.text for block in blocks if block.type == "text"),
                    "".join(block.thinking for block in blocks if block.type == "thinking"),
                    [(call.name, call.input) for call in calls],
                    message.stop_reason == "tool_use",
                    usage.input_tokens + sum(count or 0 for count in caches),
                    usage.cache_read_input_tokens,
                    usage.output_tokens,
                    None if details is None else details.thinking_tokens,
                )
            )
            if not calls:
                return told
            turns.append(
                {"role": "assistant", "content": [b.model_dump(exclude_none=True) for b in blocks]}
            )
            results = [
                {"type": "tool_result", "tool_use_id": call.id, "content": weather(call.input)}
                for call in calls
            ]
            turns.append({"role": "user", "content": results})
