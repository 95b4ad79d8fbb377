/* The path tables: which keys of which dialect the scanner looks at, and what it does there.
 *
 * A table is a trie of object keys; arrays are transparent (`choices.delta.content` means
 * choices[*].delta.content). Tables are built once, before the first scan, and never change.
 * This file must know nothing of bytes, events or Python. The fields are those of the providers'
 * public API references: OpenAI chat completions, completions and Responses, Anthropic Messages,
 * Gemini generateContent (whose stream is of whole answers' form, and has no end marker), and
 * Bedrock's Converse as gateway/proxy/upstream/decode.py writes its events. */
#ifndef TALLYGATE_JSONPATH_H
#define TALLYGATE_JSONPATH_H

#include <stdint.h>

enum js_action {
    JS_NONE,    /* only a step on the way */
    JS_TEXT,    /* arg: js_kind; decode the string and count it */
    JS_RAW,     /* arg: js_kind; count the raw bytes of the value (an object the model wrote) */
    JS_CAPTURE, /* arg: js_slot; keep the raw bytes of the value */
    JS_SMALL,   /* arg: js_small; keep the decoded short string */
    JS_INDEX,   /* the value is the number of the choice */
    JS_FLAG,    /* arg: event flag, set when the value is present, not null and not empty */
    JS_CHOICES, /* the array whose elements are the choices */
    JS_PARTS,   /* the array whose elements are the parts of a message */
    JS_THOUGHT  /* true: the part is reasoning, wherever in it this stands */
};

/* What a text is. A change of kind within a choice is a boundary for the counter. */
enum js_kind {
    JS_UNCOUNTED,
    JS_CONTENT,
    JS_REASONING,
    JS_REFUSAL,
    JS_TOOL_NAME,
    JS_TOOL_INPUT,
    JS_TRANSCRIPT,
    JS_KIND_BY_TYPE,     /* the event's `type` tells (Responses deltas) */
    JS_KIND_BY_PART,     /* content, or reasoning where the part is a thought (Gemini) */
    JS_NAME_WHEN_ADDED   /* a tool's name, in the event that announces the item only */
};

enum js_slot { JS_USAGE, JS_USAGE_START, JS_ERROR, JS_CODE, JS_MESSAGE, JS_PARAM, JS_SLOTS };
enum js_small { JS_TYPE, JS_MODEL, JS_TIER };

/* Event flags: what was seen in the present event. Once set, a flag stays to the event's end,
 * except JS_CHOICES_ARRAY, which follows the last `choices` of the object. */
enum js_flag {
    JS_FINISH = 1,        /* a finish or stop reason that is not null */
    JS_OUTPUT = 2,        /* output that is not text: a tool call, audio, an image */
    JS_CHOICES_ARRAY = 4, /* `choices` is an array */
    JS_CHOICES_FILLED = 8, /* some `choices` had an element */
    JS_PLAIN_TYPE = 16,   /* a `type` that ends nothing was read first */
    JS_TERMINAL = 32,     /* a `type` that ends the stream */
    JS_LATE = 64,         /* ... read only after a plain one */
    JS_TYPE_ERROR = 128   /* type is "error" */
};

enum js_need { JS_HAVE_INDEX = 1, JS_HAVE_TYPE = 2, JS_HAVE_PART = 4, JS_HAVE_ALL = 7 };

enum js_dialect {
    JS_CHAT,
    JS_COMPLETIONS,
    JS_RESPONSES,
    JS_ANTHROPIC,
    JS_GEMINI,
    JS_CONVERSE,
    JS_CHAT_BODY, /* also completions and embeddings: their fields do not collide */
    JS_RESPONSES_BODY,
    JS_ANTHROPIC_BODY,
    JS_GEMINI_BODY,
    JS_CONVERSE_BODY,
    JS_DIALECTS
};

typedef struct js_node {
    const char *key;
    uint8_t key_len;
    uint8_t action, arg;
    uint8_t first; /* first child, 0: none (node 0 is "no match", node 1 the root) */
    uint8_t next;  /* next sibling, 0: none */
    uint64_t lengths; /* bit n: some child's key is n bytes long */
} js_node;

typedef struct js_type {
    const char *name;
    uint8_t len;
    uint8_t kind;  /* js_kind of a JS_KIND_BY_TYPE text in this event */
    uint8_t flags; /* js_flag to set */
    uint8_t added; /* the event announces an item: its tool name counts */
} js_type;

#define JS_MAX_NODES 64

typedef struct js_table {
    js_node node[JS_MAX_NODES];
    int count;
    uint8_t need;         /* js_need bits a text waits for */
    uint8_t split;        /* each string is a text of its own (a body, not a stream of deltas) */
    uint8_t done_marker;  /* the stream ends with data starting [DONE] */
    uint8_t endless;      /* no event ends the stream: it is over when its bytes are */
    const js_type *types; /* ends with a null name; null: `type` means nothing here */
} js_table;

/* The table of a dialect. The first call builds all of them; make it before starting threads. */
const js_table *js_table_of(int dialect);

/* The child of a node with that key, or 0. */
uint8_t js_child(const js_table *t, uint8_t node, const uint8_t *key, uint32_t len);

/* The entry of a type's name, or null. */
const js_type *js_type_of(const js_table *t, const uint8_t *name, uint32_t len);

#endif
