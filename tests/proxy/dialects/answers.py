"""Answers that every official SDK must be able to read, whole and streamed."""

from gateway.proxy.dialects.neutral import Answer, Facts, Refusal, Text, Thinking, Tokens, ToolCall

FACTS = Facts("req_0193a1", "shop/model", 1_790_000_000)
USAGE = Tokens(5, 3, 2, 20, 7)

ANSWERS: dict[str, Answer] = {
    "text": Answer((Text("hello \u2028 wörld"),), "stop", USAGE),
    "thinking and parallel calls": Answer(
        (
            Thinking("let me see", "c2ln", "anthropic"),
            Text("I look."),
            ToolCall("call_a", "look", '{"city":"Bern"}'),
            ToolCall("call_b", "look", '{"city":"Rom"}', "Z3M=", "gemini"),
        ),
        "tool_calls",
        USAGE,
    ),
    "refusal": Answer((Refusal("I will not."),), "refusal", USAGE),
    "cut short": Answer((Text("hel"),), "length", USAGE),
    "nothing": Answer((), "stop", USAGE),
}
