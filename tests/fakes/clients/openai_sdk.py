"""The openai SDK, for chat completions and for Responses."""

import json
from typing import Any

import openai

from tests.fakes.clients.asking import MAX_TOKENS, PICTURE, SCHEMA, SYSTEM, Ask, Told, weather


def sdk(address: str, key: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=address + "/v1", api_key=key, max_retries=0)


async def chat(address: str, key: str, model: str, ask: Ask) -> list[Told]:
    """chat.completions.create, or .stream with the SDK's own accumulation."""
    content: Any = ask.text
    if ask.picture:
        picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}}
        content = [{"type": "text", "text": ask.text}, picture]
    messages: list[Any] = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": content},
    ]
    asked: dict[str, Any] = {"model": model, "max_completion_tokens": MAX_TOKENS}
    if ask.tools:
        function = {"name": "weather", "description": "The weather.", "parameters": SCHEMA}
        asked["tools"] = [{"type": "function", "function": {**function, "strict": True}}]
    if ask.schema:
        schema = {"name": "place", "schema": SCHEMA, "strict": True}
        asked["response_format"] = {"type": "json_schema", "json_schema": schema}
    if ask.think:
        asked["reasoning_effort"] = "high"
    told: list[Told] = []
    async with sdk(address, key) as client:
        while True:
            if ask.stream:
                options = {"stream_options": {"include_usage": True}}
                async with client.chat.completions.stream(
                    messages=messages, **asked, **options
                ) as stream:
                    completion: Any = await stream.get_final_completion()
            else:
                completion = await client.chat.completions.create(messages=messages, **asked)
            choice = completion.choices[0]
            calls = choice.message.tool_calls or []
            told.append(
                Told(
                    choice.message.content or "",
                    (choice.message.model_extra or {}).get("reasoning_content") or "",
                    [(call.function.name, json.loads(call.function.arguments)) for call in calls],
                    choice.finish_reason == "tool_calls",
                    completion.usage.prompt_tokens,
                    getattr(completion.usage.prompt_tokens_details, "cached_tokens", None),
                    completion.usage.completion_tokens,
                    getattr(completion.usage.completion_tokens_details, "reasoning_tokens", None),
                )
            )
            if not calls:
                return told
            echo = choice.message.model_dump(exclude_none=True, exclude={"parsed"})
            for call in echo["tool_calls"]:
                call["function"].pop("parsed_arguments", None)
            messages.append(echo)
            for call in calls:
                result = weather(json.loads(call.function.arguments))
                messages.append({"role": "tool", "tool_call_id": call.id, "content": result})


async def responses(address: str, key: str, model: str, ask: Ask) -> list[Told]:
    """responses.create, or .stream with the SDK's own accumulation."""
    content: list[Any] = [{"type": "input_text", "text": ask.text}]
    if ask.picture:
        url = f"data:image/png;base64,{PICTURE}"
        content.append({"type": "input_image", "detail": "auto", "image_url": url})
    items: list[Any] = [{"role": "user", "content": content}]
    asked: dict[str, Any] = {
        "model": model,
        "max_output_tokens": MAX_TOKENS,
        "instructions": SYSTEM,
        "store": False,
    }
    if ask.tools:
        tool = {"type": "function", "name": "weather", "description": "The weather."}
        asked["tools"] = [{**tool, "parameters": SCHEMA, "strict": True}]
    if ask.schema:
        form = {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}
        asked["text"] = {"format": form}
    if ask.think:
        asked["reasoning"] = {"effort": "high", "summary": "auto"}
        asked["include"] = ["reasoning.encrypted_content"]
    told: list[Told] = []
    async with sdk(address, key) as client:
        while True:
            if ask.stream:
                async with client.responses.stream(input=items, **asked) as stream:
                    response: Any = await stream.get_final_response()
            else:
                response = await client.responses.create(input=items, **asked)
            calls = [item for item in response.output if item.type == "function_call"]
            thoughts = [item for item in response.output if item.type == "reasoning"]
            told.append(
                Told(
                    response.output_text,
                    "".join(part.text for item in thoughts for part in item.summary),
                    [(call.name, json.loads(call.arguments)) for call in calls],
                    bool(calls),
                    response.usage.input_tokens,
                    response.usage.input_tokens_details.cached_tokens,
                    response.usage.output_tokens,
                    response.usage.output_tokens_details.reasoning_tokens,
                )
            )
            if not calls:
                return told
            for item in response.output:
                items.append(item.model_dump(exclude_none=True, exclude={"parsed_arguments"}))
            for call in calls:
                result = weather(json.loads(call.arguments))
                output = {"call_id": call.call_id, "output": result}
                items.append({"type": "function_call_output", **output})
