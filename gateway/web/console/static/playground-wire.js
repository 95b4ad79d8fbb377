// What the playground sends to /v1 and how it reads the answer, in two dialects.
const KEY_URL = "/console/playground/key";
const EARLY_MS = 60_000; // a key is renewed this long before it ends
let held;

async function key(renew = false) {
  if (renew || !held || held.expires_ms - Date.now() < EARLY_MS) {
    const answer = await fetch(KEY_URL, { method: "POST" });
    if (!answer.ok || answer.redirected) throw new Error(`HTTP ${answer.status}`);
    held = await answer.json();
  }
  return held.key;
}

function base64(url) {
  const [head, data] = url.split(",", 2);
  return { type: "base64", media_type: head.slice(5).split(";")[0], data };
}

const numbers = (params) => Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined));

const chat = {
  path: "/v1/chat/completions",
  body({ model, system, messages, params, tools, maxTokens }) {
    const content = (m) => m.images?.length ? [{ type: "text", text: m.text }, ...m.images.map((url) => ({ type: "image_url", image_url: { url } }))] : m.text;
    const body = { model, messages: messages.map((m) => ({ role: m.role, content: content(m) })), stream: true, stream_options: { include_usage: true }, ...numbers(params) };
    if (system) body.messages.unshift({ role: "system", content: system });
    if (maxTokens) body.max_completion_tokens = maxTokens;
    if (tools) body.tools = tools.map((tool) => tool.type === "function" ? tool : { type: "function", function: { name: tool.name, description: tool.description, parameters: tool.input_schema ?? tool.parameters ?? {} } });
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
    if (tools) body.tools = tools.map((tool) => tool.function ? { name: tool.function.name, description: tool.function.description, input_schema: tool.function.parameters ?? { type: "object" } } : tool);
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

export const dialects = { chat, messages };

/** The events of a stream of server-sent events, as parsed JSON; `[DONE]` ends it. */
async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    const whole = rest.split(/\r?\n\r?\n/);
    rest = whole.pop();
    for (const block of whole) {
      const data = block.split(/\r?\n/).filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart()).join("\n");
      if (data === "[DONE]") return;
      if (data) yield JSON.parse(data);
    }
  }
}

const post = async (dialect, body, signal, renew) => fetch(dialect.path, {
  method: "POST", signal, body: JSON.stringify(body), credentials: "omit",
  headers: { "Content-Type": "application/json", Authorization: `Bearer ${await key(renew)}`, "anthropic-version": "2023-06-01" },
});

/** Ask; fills `answer` as it comes and calls `shown` after each piece. Throws AbortError at a stop. */
export async function ask(name, request, answer, signal, shown) {
  const dialect = dialects[name];
  const body = dialect.body(request);
  const begun = performance.now();
  let response = await post(dialect, body, signal, false);
  if (response.status === 401) response = await post(dialect, body, signal, true);
  answer.id = response.headers.get("x-request-id") ?? "";
  try {
    if (!response.ok) throw Object.assign(new Error(), { told: (await response.json().catch(() => ({}))).error?.message ?? `HTTP ${response.status}` });
    for await (const event of events(response.body)) {
      if (event.error) throw Object.assign(new Error(), { told: event.error.message });
      dialect.read(event, answer);
      if (answer.firstMs === undefined && (answer.text || answer.reasoning || answer.tools.length)) answer.firstMs = Math.round(performance.now() - begun);
      shown();
    }
  } finally {
    answer.wholeMs = Math.round(performance.now() - begun);
  }
}

/** What an answer costs, in micro-dollars, from the usage it told and the model's price. */
export function costMicrousd(usage, price) {
  if (!usage || !price) return undefined;
  const reasoning = price.reasoning === null ? 0 : usage.reasoning;
  const picousd = usage.input * price.input + usage.cacheRead * price.cache_read + usage.cacheWrite * price.cache_write
    + (usage.output - reasoning) * price.output + reasoning * (price.reasoning ?? 0) + price.request;
  return picousd / 1e6;
}

/** The same request for a terminal, Python and JavaScript; pictures are left out. */
export function samples(name, request, base) {
  const body = dialects[name].body({ ...request, messages: request.messages.map((m) => ({ ...m, images: [] })) });
  delete body.stream_options;
  const json = JSON.stringify(body, null, 2);
  const own = { ...body };
  delete own.stream;
  const python = JSON.stringify(own, null, 4).replace(/: (true|false|null)(?=[,\n])/g, (_, word) => `: ${{ true: "True", false: "False", null: "None" }[word]}`);
  const root = base.replace(/\/v1$/, "");
  if (name === "chat") return {
    curl: `curl -N ${base}/chat/completions \\\n  -H "Authorization: Bearer $TALLYGATE_KEY" \\\n  -H "Content-Type: application/json" \\\n  -d @- <<'JSON'\n${json}\nJSON`,
    Python: `import os\n\nfrom openai import OpenAI\n\nclient = OpenAI(base_url="${base}", api_key=os.environ["TALLYGATE_KEY"])\nrequest = ${python}\nfor part in client.chat.completions.create(stream=True, **request):\n    if part.choices:\n        print(part.choices[0].delta.content or "", end="")`,
    JavaScript: `import OpenAI from "openai";\n\nconst client = new OpenAI({ baseURL: "${base}", apiKey: process.env.TALLYGATE_KEY });\nconst stream = await client.chat.completions.create(${json});\nfor await (const part of stream) process.stdout.write(part.choices[0]?.delta?.content ?? "");`,
  };
  return {
    curl: `curl -N ${base}/messages \\\n  -H "x-api-key: $TALLYGATE_KEY" \\\n  -H "anthropic-version: 2023-06-01" \\\n  -H "Content-Type: application/json" \\\n  -d @- <<'JSON'\n${json}\nJSON`,
    Python: `import os\n\nfrom anthropic import Anthropic\n\nclient = Anthropic(base_url="${root}", api_key=os.environ["TALLYGATE_KEY"])\nrequest = ${python}\nwith client.messages.stream(**request) as stream:\n    for text in stream.text_stream:\n        print(text, end="")`,
    JavaScript: `import Anthropic from "@anthropic-ai/sdk";\n\nconst client = new Anthropic({ baseURL: "${root}", apiKey: process.env.TALLYGATE_KEY });\nconst stream = client.messages.stream(${JSON.stringify(own, null, 2)});\nstream.on("text", (text) => process.stdout.write(text));\nawait stream.finalMessage();`,
  };
}
