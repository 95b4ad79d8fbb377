/* Which members of a request matter: those the proxy reads or edits, and those that hold the prompt.
 *
 * Included by request.c alone. Sources: the API references of OpenAI, Anthropic and Google (whose
 * members come in camelCase and in snake_case). */
#ifndef TALLYGATE_REQUESTKEYS_H
#define TALLYGATE_REQUESTKEYS_H

#include <string.h>

#include "request.h"

/* Top-level members, then members of the top-level members that PARENTS names. Those from WATCHED on
 * are rare, and each needs a look before a request may pass. */
enum { WATCHED = 22, TOP_NAMES = 44 };
static const char *const NAMES[RQ_NAMES] = {
    "model", "stream", "stream_options", "max_tokens",
    "max_completion_tokens", "max_output_tokens", "n", "user", "background", "safety_identifier",
    "generationConfig", "generation_config", "generateContentRequest", "models",
    "messages", "contents", "input", "cache_control",
    "prompt_cache_key", "session_id", "user_id", "client_metadata",
    "tools", "functions", "prompt", "service_tier", "serviceTier", "speed", "inference_geo",
    "previous_response_id", "conversation", "container", "cachedContent", "cached_content",
    "mcp_servers", "web_search_options", "web_search", "search_parameters", "enable_search",
    "plugins", "modalities", "extra_body", "deferred", "provider",
    "maxOutputTokens", "max_output_tokens", "candidateCount", "candidate_count", "user_id",
    "responseModalities", "response_modalities"};
enum { PARENT_COUNT = 3 };
static const char *const PARENTS[PARENT_COUNT] = {
    "generationConfig", "generation_config", "metadata"};

/* Members whose strings are the prompt. Elements of the first three are messages, of the next two
 * tools. */
enum {
    MESSAGES, INPUT, CONTENTS, TOOLS, FUNCTIONS, PROMPT, INSTRUCTIONS, SYSTEM, SYSTEM_CAMEL,
    SYSTEM_SNAKE, ROOTS
};
static const char *const PROMPT_ROOTS[ROOTS] = {
    "messages", "input", "contents", "tools", "functions", "prompt", "instructions", "system",
    "systemInstruction", "system_instruction"};

/* Members whose strings are files, encoded or by address, or seals that only a provider can read:
 * their bytes are no text to a model. */
enum { MEDIA_COUNT = 11 };
static const char *const MEDIA_KEYS[MEDIA_COUNT] = {
    "url", "data", "image_url", "file_data", "b64_json", "fileUri", "file_uri", "signature",
    "thoughtSignature", "thought_signature", "encrypted_content"};

/* Members of messages that name and tie things and that no model reads as text. Only short ones
 * count as such, so that nothing of size can go uncounted under these keys. */
enum { LABEL_COUNT = 9, LABEL_MAX = 64 };
static const char *const LABEL_KEYS[LABEL_COUNT] = {
    "type", "id", "tool_use_id", "tool_call_id", "call_id", "media_type", "mimeType", "mime_type",
    "ttl"};

/* Members of messages that point to what a provider keeps: files, earlier speech. */
enum { REFERENCE_COUNT = 4 };
static const char *const REFERENCE_KEYS[REFERENCE_COUNT] = {
    "file_id", "fileUri", "file_uri", "audio"};
static const char *const CACHE_KEY[1] = {"cache_control"};

/* The index of a key in a list of names, or -1. */
static inline int find(const char *const *names, int count, const uint8_t *key, uint32_t len)
{
    for (int i = 0; i < count; i++)
        if (names[i][0] == (char)key[0] && strlen(names[i]) == len
            && memcmp(names[i], key, len) == 0)
            return i;
    return -1;
}

#endif
