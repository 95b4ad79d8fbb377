// What the playground sends to /v1 and how it reads the answer.
import { dialects, pathOf } from "@/playground-dialects.js";

const KEY_URL = "/console/playground/key";
// A list: a row that is not there yet is no error in it, as it would be at its own address.
const LOG_URL = "/api/v1/requests?limit=50";
const LOG_WAITS_MS = [0, 150, 300, 600, 1200, 2400, 4800]; // a stopped answer is charged soon after its end
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

const post = async (path, body, signal, renew) => fetch(path, {
  method: "POST", signal, body: JSON.stringify(body), credentials: "omit",
  headers: { "Content-Type": "application/json", Authorization: `Bearer ${await key(renew)}`, "anthropic-version": "2023-06-01" },
});

/** What the gateway says went wrong: its words, and the code of its catalogue as the dialect writes it. */
const told = (error, status) => Object.assign(new Error(), {
  told: error?.message ?? `HTTP ${status}`, code: error?.details?.find((each) => each.reason)?.reason ?? error?.code ?? "",
});

/** Ask; fills `answer` as it comes and calls `shown` after each piece. Throws AbortError at a stop. */
export async function ask(name, request, answer, signal, shown) {
  const dialect = dialects[name];
  const body = dialect.body(request);
  const begun = performance.now();
  const path = pathOf(dialect, request.model);
  let response = await post(path, body, signal, false);
  if (response.status === 401) response = await post(path, body, signal, true);
  answer.id = response.headers.get("x-request-id") ?? "";
  try {
    if (!response.ok) throw told((await response.json().catch(() => ({}))).error, response.status);
    for await (const event of events(response.body)) {
      if (event.error) throw told(event.error, response.status);
      dialect.read(event, answer);
      if (answer.firstMs === undefined && (answer.text || answer.reasoning || answer.tools.length)) answer.firstMs = Math.round(performance.now() - begun);
      shown();
    }
  } finally {
    answer.wholeMs = Math.round(performance.now() - begun);
  }
}

/** A request as the log has it, tokens, cost and time; undefined where it is not there in some ten seconds. */
export async function logged(id) {
  for (const wait of LOG_WAITS_MS) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    try {
      const response = await fetch(LOG_URL, { credentials: "omit", headers: { Authorization: `Bearer ${await key()}` } });
      const row = response.ok ? (await response.json()).requests.find((each) => each.id === id) : undefined;
      if (row) return { input: row.input_tokens + row.cache_read_tokens + row.cache_write_tokens, output: row.output_tokens, microusd: row.cost.microusd, firstMs: row.first_token_ms ?? undefined };
    } catch { /* it is asked once more, or the estimate stays */ }
  }
  return undefined;
}

/** What an answer is likely to cost, in micro-dollars, until the log says it: from the usage it told and the model's price. */
export function costMicrousd(usage, price) {
  if (!usage || !price) return undefined;
  const reasoning = price.reasoning === null ? 0 : usage.reasoning;
  const picousd = usage.input * price.input + usage.cacheRead * price.cache_read + usage.cacheWrite * price.cache_write
    + (usage.output - reasoning) * price.output + reasoning * (price.reasoning ?? 0) + price.request;
  return picousd / 1e6;
}
