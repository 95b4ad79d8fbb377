"""The google-genai SDK."""

import base64
from typing import Any

import aiohttp
from google import genai
from google.genai import types

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


async def gemini(address: str, key: str, model: str, ask: Ask) -> list[Told]:
    """models.generate_content, or its stream; the SDK accumulates nothing, so this does."""
    parts = [types.Part(text=ask.text)]
    if ask.picture:
        picture = types.Blob(mime_type="image/png", data=base64.b64decode(PICTURE))
        parts.append(types.Part(inline_data=picture))
    contents = [types.Content(role="user", parts=parts)]
    config: dict[str, Any] = {
        "system_instruction": SYSTEM,
        "max_output_tokens": MAX_TOKENS,
        "automatic_function_calling": {"disable": True},
    }
    if ask.tools:
        declared = {"name": "weather", "description": "The weather."}
        function = {**declared, "parameters_json_schema": SCHEMA}
        config["tools"] = [{"function_declarations": [function]}]
    if ask.schema:
        config |= {"response_mime_type": "application/json", "response_json_schema": SCHEMA}
    if ask.think:
        config["thinking_config"] = {"include_thoughts": True, "thinking_budget": BUDGET_TOKENS}
    told: list[Told] = []
    # The session it would make itself warns of deprecations, and warnings are errors here.
    async with aiohttp.ClientSession() as http:
        options = types.HttpOptions(base_url=address, api_version="v1beta", aiohttp_client=http)
        client = genai.Client(api_key=key, http_options=options)
        try:
            while True:
                said, usage = await _said(client, model, contents, config, stream=ask.stream)
                calls = [part.function_call for part in said if part.function_call]
                cached = usage.cached_content_token_count
                reasoning = usage.thoughts_token_count
                told.append(
                    Told(
                        "".join(part.text or "" for part in said if not part.thought),
                        "".join(part.text or "" for part in said if part.thought),
                        [(call.name or "", call.args) for call in calls],
                        bool(calls),
                        usage.prompt_token_count,
                        cached,
                        (usage.candidates_token_count or 0) + (reasoning or 0),
                        reasoning,
                    )
                )
                if not calls:
                    return told
                contents.append(types.Content(role="model", parts=said))
                results = [
                    types.Part(
                        function_response=types.FunctionResponse(
                            id=call.id, name=call.name, response={"output": weather(call.args)}
                        )
                    )
                    for call in calls
                ]
                contents.append(types.Content(role="user", parts=results))
        finally:
            client.close()


async def _said(
    client: genai.Client, model: str, contents: Any, config: Any, *, stream: bool
) -> tuple[list[types.Part], types.GenerateContentResponseUsageMetadata]:
    """All parts of an answer, and its last usage."""
    models = client.aio.models
    if stream:
        asked = await models.generate_content_stream(model=model, contents=contents, config=config)
        answers = [answer async for answer in asked]
    else:
        answers = [await models.generate_content(model=model, contents=contents, config=config)]
    parts: list[types.Part] = []
    usage = None
    for answer in answers:
        usage = answer.usage_metadata or usage
        for candidate in answer.candidates or []:
            if candidate.content is not None:
                parts += candidate.content.parts or []
    assert usage is not None
    return parts, usage
