/* The path tables and their builder; see jsonpath.h. A new field is one line here. */
#include "jsonpath.h"

#include <string.h>

typedef struct spec {
    const char *path; /* relative to the previous prefix line; null ends the list */
    uint8_t action, arg;
} spec;

/* A line with JS_NONE sets the prefix of the lines after it. */
#define UNDER(prefix) {prefix, JS_NONE, 0}
#define MESSAGE_FIELDS \
    {"content", JS_TEXT, JS_CONTENT}, \
    {"content.text", JS_TEXT, JS_CONTENT}, \
    {"content.thinking.text", JS_TEXT, JS_REASONING}, \
    {"reasoning", JS_TEXT, JS_REASONING}, \
    {"reasoning_content", JS_TEXT, JS_REASONING}, \
    {"refusal", JS_TEXT, JS_REFUSAL}, \
    {"tool_calls", JS_FLAG, JS_OUTPUT}, \
    {"tool_calls.function.name", JS_TEXT, JS_TOOL_NAME}, \
    {"tool_calls.function.arguments", JS_TEXT, JS_TOOL_INPUT}, \
    {"tool_calls.custom.name", JS_TEXT, JS_TOOL_NAME}, \
    {"tool_calls.custom.input", JS_TEXT, JS_TOOL_INPUT}, \
    {"function_call", JS_FLAG, JS_OUTPUT}, \
    {"function_call.name", JS_TEXT, JS_TOOL_NAME}, \
    {"function_call.arguments", JS_TEXT, JS_TOOL_INPUT}, \
    {"audio", JS_FLAG, JS_OUTPUT}, \
    {"audio.transcript", JS_TEXT, JS_TRANSCRIPT}, \
    {"images", JS_FLAG, JS_OUTPUT}
#define CHAT_FIELDS \
    {"usage", JS_CAPTURE, JS_USAGE}, \
    {"error", JS_CAPTURE, JS_ERROR}, \
    {"model", JS_SMALL, JS_MODEL}, \
    {"service_tier", JS_SMALL, JS_TIER}, \
    {"choices", JS_CHOICES, 0}, \
    {"choices.index", JS_INDEX, 0}, \
    {"choices.finish_reason", JS_FLAG, JS_FINISH}

static const spec CHAT[] = {
    CHAT_FIELDS, UNDER("choices.delta"), MESSAGE_FIELDS, {0, 0, 0}};

static const spec COMPLETIONS[] = {
    CHAT_FIELDS, {"choices.text", JS_TEXT, JS_CONTENT}, {0, 0, 0}};

static const spec CHAT_BODY[] = {
    CHAT_FIELDS, {"choices.text", JS_TEXT, JS_CONTENT},
    UNDER("choices.message"), MESSAGE_FIELDS, {0, 0, 0}};

static const spec RESPONSES[] = {
    {"type", JS_SMALL, JS_TYPE},
    {"delta", JS_TEXT, JS_KIND_BY_TYPE},
    {"output_index", JS_INDEX, 0},
    {"item.name", JS_TEXT, JS_NAME_WHEN_ADDED},
    {"error", JS_CAPTURE, JS_ERROR},
    {"code", JS_CAPTURE, JS_CODE},
    {"message", JS_CAPTURE, JS_MESSAGE},
    {"param", JS_CAPTURE, JS_PARAM},
    {"response.usage", JS_CAPTURE, JS_USAGE},
    {"response.error", JS_CAPTURE, JS_ERROR},
    {"response.model", JS_SMALL, JS_MODEL},
    {"response.service_tier", JS_SMALL, JS_TIER},
    {0, 0, 0}};

static const spec RESPONSES_BODY[] = {
    {"usage", JS_CAPTURE, JS_USAGE},
    {"error", JS_CAPTURE, JS_ERROR},
    {"model", JS_SMALL, JS_MODEL},
    {"service_tier", JS_SMALL, JS_TIER},
    {"output", JS_FLAG, JS_OUTPUT},
    {"output.content.text", JS_TEXT, JS_CONTENT},
    {"output.content.refusal", JS_TEXT, JS_REFUSAL},
    {"output.content.transcript", JS_TEXT, JS_TRANSCRIPT},
    {"output.summary.text", JS_TEXT, JS_REASONING},
    {"output.name", JS_TEXT, JS_TOOL_NAME},
    {"output.arguments", JS_TEXT, JS_TOOL_INPUT},
    {"output.input", JS_TEXT, JS_TOOL_INPUT},
    {0, 0, 0}};

static const spec ANTHROPIC[] = {
    {"type", JS_SMALL, JS_TYPE},
    {"delta.text", JS_TEXT, JS_CONTENT},
    {"delta.thinking", JS_TEXT, JS_REASONING},
    {"delta.partial_json", JS_TEXT, JS_TOOL_INPUT},
    {"delta.stop_reason", JS_FLAG, JS_FINISH},
    {"content_block.text", JS_TEXT, JS_CONTENT},
    {"content_block.thinking", JS_TEXT, JS_REASONING},
    {"content_block.name", JS_TEXT, JS_TOOL_NAME},
    {"usage", JS_CAPTURE, JS_USAGE},
    {"error", JS_CAPTURE, JS_ERROR},
    {"message.usage", JS_CAPTURE, JS_USAGE_START},
    {"message.model", JS_SMALL, JS_MODEL},
    {0, 0, 0}};

static const spec ANTHROPIC_BODY[] = {
    {"usage", JS_CAPTURE, JS_USAGE},
    {"error", JS_CAPTURE, JS_ERROR},
    {"model", JS_SMALL, JS_MODEL},
    {"stop_reason", JS_FLAG, JS_FINISH},
    {"content.text", JS_TEXT, JS_CONTENT},
    {"content.thinking", JS_TEXT, JS_REASONING},
    {"content.name", JS_TEXT, JS_TOOL_NAME},
    {"content.input", JS_RAW, JS_TOOL_INPUT},
    {0, 0, 0}};

static const spec GEMINI[] = {
    {"candidates", JS_CHOICES, 0},
    {"candidates.index", JS_INDEX, 0},
    {"candidates.finishReason", JS_FLAG, JS_FINISH},
    {"promptFeedback.blockReason", JS_FLAG, JS_FINISH},
    {"usageMetadata", JS_CAPTURE, JS_USAGE},
    {"modelVersion", JS_SMALL, JS_MODEL},
    {"error", JS_CAPTURE, JS_ERROR},
    {"candidates.content.parts", JS_PARTS, 0},
    UNDER("candidates.content.parts"),
    {"text", JS_TEXT, JS_KIND_BY_PART},
    {"thought", JS_THOUGHT, 0},
    {"functionCall", JS_FLAG, JS_OUTPUT},
    {"functionCall.name", JS_TEXT, JS_TOOL_NAME},
    {"functionCall.args", JS_RAW, JS_TOOL_INPUT},
    {"inlineData", JS_FLAG, JS_OUTPUT},
    {"executableCode.code", JS_TEXT, JS_TOOL_INPUT},
    {"codeExecutionResult.output", JS_TEXT, JS_CONTENT},
    {0, 0, 0}};

/* Each event is one object whose only member is named as the event is. */
static const spec CONVERSE[] = {
    {"error", JS_CAPTURE, JS_ERROR},
    UNDER("contentBlockDelta.delta"),
    {"text", JS_TEXT, JS_CONTENT},
    {"reasoningContent.text", JS_TEXT, JS_REASONING},
    {"toolUse.input", JS_TEXT, JS_TOOL_INPUT},
    {"image", JS_FLAG, JS_OUTPUT},
    UNDER("contentBlockStart.start"),
    {"toolUse.name", JS_TEXT, JS_TOOL_NAME},
    UNDER("messageStop"),
    {"stopReason", JS_FLAG, JS_FINISH},
    UNDER("metadata"),
    {"usage", JS_CAPTURE, JS_USAGE},
    {0, 0, 0}};

static const spec CONVERSE_BODY[] = {
    {"usage", JS_CAPTURE, JS_USAGE},
    {"stopReason", JS_FLAG, JS_FINISH},
    UNDER("output.message.content"),
    {"text", JS_TEXT, JS_CONTENT},
    {"citationsContent.content.text", JS_TEXT, JS_CONTENT},
    {"reasoningContent.reasoningText.text", JS_TEXT, JS_REASONING},
    {"toolUse.name", JS_TEXT, JS_TOOL_NAME},
    {"toolUse.input", JS_RAW, JS_TOOL_INPUT},
    {"image", JS_FLAG, JS_OUTPUT},
    {0, 0, 0}};

#define TYPE(name, kind, flags, added) {name, sizeof(name) - 1, kind, flags, added}

/* The deltas of encoded audio and images are no text and so are not named here. */
static const js_type RESPONSES_TYPES[] = {
    TYPE("response.output_text.delta", JS_CONTENT, 0, 0),
    TYPE("response.function_call_arguments.delta", JS_TOOL_INPUT, 0, 0),
    TYPE("response.reasoning_text.delta", JS_REASONING, 0, 0),
    TYPE("response.reasoning_summary_text.delta", JS_REASONING, 0, 0),
    TYPE("response.refusal.delta", JS_REFUSAL, 0, 0),
    TYPE("response.custom_tool_call_input.delta", JS_TOOL_INPUT, 0, 0),
    TYPE("response.mcp_call_arguments.delta", JS_TOOL_INPUT, 0, 0),
    TYPE("response.code_interpreter_call_code.delta", JS_TOOL_INPUT, 0, 0),
    TYPE("response.audio.transcript.delta", JS_TRANSCRIPT, 0, 0),
    TYPE("response.output_audio_transcript.delta", JS_TRANSCRIPT, 0, 0),
    TYPE("response.output_item.added", JS_UNCOUNTED, 0, 1),
    TYPE("response.completed", JS_UNCOUNTED, JS_TERMINAL | JS_FINISH, 0),
    TYPE("response.incomplete", JS_UNCOUNTED, JS_TERMINAL | JS_FINISH, 0),
    TYPE("response.failed", JS_UNCOUNTED, JS_TERMINAL | JS_FINISH, 0),
    TYPE("error", JS_UNCOUNTED, JS_TYPE_ERROR, 0),
    {0, 0, 0, 0, 0}};

static const js_type ANTHROPIC_TYPES[] = {
    TYPE("message_stop", JS_UNCOUNTED, JS_TERMINAL, 0), {0, 0, 0, 0, 0}};

static js_table tables[JS_DIALECTS];
static int built;

uint8_t js_child(const js_table *t, uint8_t node, const uint8_t *key, uint32_t len)
{
    if (len >= 64 || !(t->node[node].lengths >> len & 1))
        return 0;
    for (uint8_t i = t->node[node].first; i; i = t->node[i].next) {
        const js_node *n = &t->node[i];
        if (n->key_len == len && memcmp(n->key, key, len) == 0)
            return i;
    }
    return 0;
}

const js_type *js_type_of(const js_table *t, const uint8_t *name, uint32_t len)
{
    for (const js_type *e = t->types; e && e->name; e++)
        if (e->len == len && memcmp(e->name, name, len) == 0)
            return e;
    return 0;
}

/* Walks a dotted path from a node, making what is missing; returns its node. */
static uint8_t grow(js_table *t, uint8_t at, const char *path)
{
    while (*path) {
        const char *dot = strchr(path, '.');
        uint32_t len = (uint32_t)(dot ? (size_t)(dot - path) : strlen(path));
        uint8_t child = js_child(t, at, (const uint8_t *)path, len);
        if (!child && t->count < JS_MAX_NODES) {
            child = (uint8_t)t->count++;
            t->node[child].key = path;
            t->node[child].key_len = (uint8_t)len;
            /* Appended last, so the specs list the commonest keys first. */
            uint8_t *link = &t->node[at].first;
            while (*link)
                link = &t->node[*link].next;
            *link = child;
            t->node[at].lengths |= (uint64_t)1 << len;
        }
        at = child;
        path += len + (dot ? 1 : 0);
    }
    return at;
}

static void build(js_table *t, const spec *specs, const js_type *types, uint8_t need)
{
    uint8_t prefix = 1;
    t->count = 2;
    for (; specs->path; specs++) {
        if (specs->action == JS_NONE) {
            prefix = grow(t, 1, specs->path);
            continue;
        }
        uint8_t leaf = grow(t, prefix, specs->path);
        t->node[leaf].action = specs->action;
        t->node[leaf].arg = specs->arg;
    }
    t->types = types;
    t->need = need;
}

const js_table *js_table_of(int dialect)
{
    if (!built) {
        build(&tables[JS_CHAT], CHAT, 0, JS_HAVE_INDEX);
        build(&tables[JS_COMPLETIONS], COMPLETIONS, 0, JS_HAVE_INDEX);
        build(&tables[JS_RESPONSES], RESPONSES, RESPONSES_TYPES, JS_HAVE_ALL);
        build(&tables[JS_ANTHROPIC], ANTHROPIC, ANTHROPIC_TYPES, 0);
        build(&tables[JS_CHAT_BODY], CHAT_BODY, 0, JS_HAVE_INDEX);
        build(&tables[JS_RESPONSES_BODY], RESPONSES_BODY, 0, 0);
        build(&tables[JS_ANTHROPIC_BODY], ANTHROPIC_BODY, 0, 0);
        build(&tables[JS_GEMINI], GEMINI, 0, JS_HAVE_INDEX | JS_HAVE_PART);
        build(&tables[JS_GEMINI_BODY], GEMINI, 0, JS_HAVE_INDEX | JS_HAVE_PART);
        build(&tables[JS_CONVERSE], CONVERSE, 0, 0);
        build(&tables[JS_CONVERSE_BODY], CONVERSE_BODY, 0, 0);
        tables[JS_GEMINI].endless = tables[JS_CONVERSE].endless = 1;
        tables[JS_CHAT].done_marker = tables[JS_COMPLETIONS].done_marker = 1;
        for (int i = JS_CHAT_BODY; i < JS_DIALECTS; i++)
            tables[i].split = 1;
        built = 1;
    }
    return dialect >= 0 && dialect < JS_DIALECTS ? &tables[dialect] : 0;
}
