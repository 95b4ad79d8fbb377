// Drives a running gateway with the official `openai` Node SDK; prints one JSON line of findings.
// Usage: node client.mjs BASE_URL KEY
import OpenAI from "openai";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "Say hello to the whole wide world, please." }];
const tool = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};
const found = {};

const whole = await client.chat.completions.create({ model: "sandbox/echo", messages });
found.echo = whole.choices[0].message.content;

const stream = await client.chat.completions.create({
  model: "sandbox/lorem:tokens=40",
  messages,
  stream: true,
  stream_options: { include_usage: true },
});
found.text = "";
for await (const chunk of stream) {
  found.text += chunk.choices[0]?.delta?.content ?? "";
  if (chunk.usage) found.completionTokens = chunk.usage.completion_tokens;
}

const called = await client.chat.completions.create({
  model: "sandbox/lorem:tool=1",
  messages,
  tools: [tool],
});
found.tool = JSON.parse(called.choices[0].message.tool_calls[0].function.arguments);

const structured = await client.chat.completions.create({
  model: "sandbox/lorem",
  messages,
  response_format: {
    type: "json_schema",
    json_schema: { name: "weather", schema: tool.function.parameters, strict: true },
  },
});
found.structured = JSON.parse(structured.choices[0].message.content);

const embedded = await client.embeddings.create({ model: "sandbox/echo", input: "a" });
found.dimensions = embedded.data[0].embedding.length;

const events = [];
const responses = await client.responses.create({
  model: "sandbox/lorem",
  input: "hello",
  stream: true,
});
for await (const event of responses) events.push(event.type);
found.lastEvent = events.at(-1);

found.errors = {};
for (const model of ["sandbox/lorem:error=429", "sandbox/lorem:error=500", "nothing"]) {
  try {
    await client.chat.completions.create({ model, messages });
  } catch (error) {
    found.errors[error.constructor.name] = [error.status, error.code];
  }
}
try {
  const cut = await client.chat.completions.create({
    model: "sandbox/lorem:fault=reset,at=5",
    messages,
    stream: true,
  });
  for await (const _ of cut);
} catch (error) {
  found.cut = error instanceof OpenAI.APIError;
}

const retrying = new OpenAI({ baseURL, apiKey, maxRetries: 1 });
const aborter = new AbortController();
const aborted = await retrying.chat.completions.create(
  { model: "sandbox/lorem:tokens=500,tps=50", messages, stream: true },
  { signal: aborter.signal },
);
let seen = 0;
for await (const _ of aborted) if (++seen === 5) aborter.abort();
found.aborted = seen;

console.log(JSON.stringify(found));
