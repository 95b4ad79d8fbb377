// The four APIs that the playground speaks: a request as each writes it, an answer as each tells it.
function base64(url) {
  const [head, data] = url.split(",", 2);
  return { type: "base64", media_type: head.slice(5).split(";")[0], data };
}

const call = (tool) => tool.function ?? tool;
const schema = (tool) => call(tool).parameters ?? call(tool).input_schema ?? { type: "object" };
const numbers = (params) => Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined));

const chat = {
  path: "/v1/chat/completions",
  body({ model, system, messages, params, tools, maxTokens }) {
    const content = (m) => m.images?.length ? [{ type: "text", text: m.text }, ...m.images.map((url) => ({ type: "image_url", image_url: { url } }))] : m.text;
    const body = { model, messages: messages.map((m) => ({ role: m.role, content: content(m) })), stream: true, stream_options: { include_usage: true }, ...numbers(params) };
    if (system) body.messages.unshift({ role: "system", content: system });
    if (maxTokens) body.max_completion_tokens = maxTokens;
    if (tools) body.tools = tools.map((tool) => ({ type: "function", function: { name: call(tool).name, description: call(tool).description, parameters: schema(tool) } }));
    return body;
  },
  read(event, answer) {
    if (event.usage) {
      const cached = event.usage.prompt_tokens_details?.cached_tokens ?? 0;
      answer.usage = { input: event.usage.prompt_tokens - cached, cacheRead: cached, cacheWrite: 0, output: event.usage.completion_tokens, reasoning: event.usage.completion_tokens_details?.reasoning_tokens ?? 0 };
    }
    const delta = event.choices?.[0]?.delta;
    if (!delta) return;
    answer.reasoning += delta.reasoning_content ?? delta.reasoning ?? "";
    answer.text += delta.content ?? delta.refusal ?? "";
    for (const call of delta.tool_calls ?? []) {
      const tool = (answer.tools[call.index ?? 0] ??= { name: "", arguments: "" });
      tool.name += call.function?.name ?? "";
      tool.arguments += call.function?.arguments ?? "";
    }
  },
};

const messages = {
  path: "/v1/messages",
  body({ model, system, messages: turns, params, tools, maxTokens }) {
    const content = (m) => m.images?.length ? [...m.images.map((url) => ({ type: "image", source: base64(url) })), { type: "text", text: m.text }] : m.text;
    const body = { model, max_tokens: maxTokens || 1024, messages: turns.map((m) => ({ role: m.role, content: content(m) })), stream: true, ...numbers(params) };
    if (system) body.system = system;
    if (tools) body.tools = tools.map((tool) => ({ name: call(tool).name, description: call(tool).description, input_schema: schema(tool) }));
    return body;
  },
  read(event, answer) {
    const usage = event.message?.usage ?? event.usage;
    if (usage) {
      answer.usage ??= { input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0 };
      answer.usage.input = usage.input_tokens ?? answer.usage.input;
      answer.usage.cacheRead = usage.cache_read_input_tokens ?? answer.usage.cacheRead;
      answer.usage.cacheWrite = usage.cache_creation_input_tokens ?? answer.usage.cacheWrite;
      answer.usage.output = usage.output_tokens ?? answer.usage.output;
    }
    if (event.type === "content_block_start" && event.content_block.type === "tool_use") answer.tools[event.index] = { name: event.content_block.name, arguments: "" };
    if (event.type !== "content_block_delta") return;
    answer.text += event.delta.text ?? "";
    answer.reasoning += event.delta.thinking ?? "";
    if (event.delta.partial_json !== undefined && answer.tools[event.index]) answer.tools[event.index].arguments += event.delta.partial_json;
  },
};

const responses = {
  path: "/v1/responses",
  body({ model, system, messages: turns, params, tools, maxTokens }) {
    const content = (m) => m.role === "assistant" ? [{ type: "output_text", text: m.text }]
      : [{ type: "input_text", text: m.text }, ...(m.images ?? []).map((url) => ({ type: "input_image", image_url: url }))];
    const body = { model, input: turns.map((m) => ({ role: m.role, content: content(m) })), stream: true, store: false, ...numbers(params) };
    if (system) body.instructions = system;
    if (maxTokens) body.max_output_tokens = maxTokens;
    if (tools) body.tools = tools.map((tool) => ({ type: "function", name: call(tool).name, description: call(tool).description, parameters: schema(tool) }));
    return body;
  },
  read(event, answer) {
    const usage = event.response?.usage;
    if (usage) {
      const cached = usage.input_tokens_details?.cached_tokens ?? 0;
      answer.usage = { input: usage.input_tokens - cached, cacheRead: cached, cacheWrite: 0, output: usage.output_tokens, reasoning: usage.output_tokens_details?.reasoning_tokens ?? 0 };
    }
    if (event.type === "response.failed") throw Object.assign(new Error(), { told: event.response?.error?.message ?? "", code: event.response?.error?.code });
    if (event.type === "error") throw Object.assign(new Error(), { told: event.message, code: event.code });
    if (event.type === "response.output_text.delta" || event.type === "response.refusal.delta") answer.text += event.delta;
    if (event.type === "response.reasoning_summary_text.delta" || event.type === "response.reasoning_text.delta") answer.reasoning += event.delta;
    if (event.type === "response.output_item.added" && event.item?.type === "function_call") answer.tools[event.output_index] = { name: event.item.name, arguments: "" };
    if (event.type === "response.function_call_arguments.delta" && answer.tools[event.output_index]) answer.tools[event.output_index].arguments += event.delta;
  },
};

const gemini = {
  path: (model) => `/v1beta/models/${model.split("/").map(encodeURIComponent).join("/")}:streamGenerateContent?alt=sse`,
  body({ system, messages: turns, params, tools, maxTokens }) {
    const inline = (url) => { const { media_type, data } = base64(url); return { inlineData: { mimeType: media_type, data } }; };
    const body = { contents: turns.map((m) => ({ role: m.role === "assistant" ? "model" : "user", parts: [{ text: m.text }, ...(m.images ?? []).map(inline)] })) };
    const config = numbers({ temperature: params.temperature, topP: params.top_p, maxOutputTokens: maxTokens });
    if (Object.keys(config).length) body.generationConfig = config;
    if (system) body.systemInstruction = { parts: [{ text: system }] };
    if (tools) body.tools = [{ functionDeclarations: tools.map((tool) => ({ name: call(tool).name, description: call(tool).description, parameters: schema(tool) })) }];
    return body;
  },
  read(event, answer) {
    const usage = event.usageMetadata;
    if (usage) {
      const cached = usage.cachedContentTokenCount ?? 0;
      const thoughts = usage.thoughtsTokenCount ?? 0;
      answer.usage = { input: (usage.promptTokenCount ?? 0) - cached, cacheRead: cached, cacheWrite: 0, output: (usage.candidatesTokenCount ?? 0) + thoughts, reasoning: thoughts };
    }
    for (const part of event.candidates?.[0]?.content?.parts ?? []) {
      if (part.functionCall) answer.tools.push({ name: part.functionCall.name, arguments: JSON.stringify(part.functionCall.args ?? {}) });
      else if (part.thought) answer.reasoning += part.text ?? "";
      else answer.text += part.text ?? "";
    }
  },
};

/** How each API is asked for a stream, and how the events of its answer are read. */
export const dialects = { chat, messages, responses, gemini };

/** Where a request goes. */
export const pathOf = (dialect, model) => (typeof dialect.path === "function" ? dialect.path(model) : dialect.path);
