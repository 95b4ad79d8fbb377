// The playground's request as a program: for a terminal, Python and JavaScript, in each API.
import { dialects, pathOf } from "@/playground-dialects.js";

// JSON as Python writes it.
const words = (json) => json.replace(/: (true|false|null)(?=[,\n])/g, (_, word) => `: ${{ true: "True", false: "False", null: "None" }[word]}`);

/** The same request for a terminal, Python and JavaScript; pictures are left out. */
export function samples(name, request, base) {
  const body = dialects[name].body({ ...request, messages: request.messages.map((m) => ({ ...m, images: [] })) });
  delete body.stream_options;
  const json = JSON.stringify(body, null, 2);
  const own = { ...body };
  delete own.stream;
  const python = words(JSON.stringify(own, null, 4));
  const root = base.replace(/\/v1$/, "");
  if (name === "chat") return {
    curl: `curl -N ${base}/chat/completions \\\n  -H "Authorization: Bearer $TALLYGATE_KEY" \\\n  -H "Content-Type: application/json" \\\n  -d @- <<'JSON'\n${json}\nJSON`,
    Python: `import os\n\nfrom openai import OpenAI\n\nclient = OpenAI(base_url="${base}", api_key=os.environ["TALLYGATE_KEY"])\nrequest = ${python}\nfor part in client.chat.completions.create(stream=True, **request):\n    if part.choices:\n        print(part.choices[0].delta.content or "", end="")`,
    JavaScript: `import OpenAI from "openai";\n\nconst client = new OpenAI({ baseURL: "${base}", apiKey: process.env.TALLYGATE_KEY });\nconst stream = await client.chat.completions.create(${json});\nfor await (const part of stream) process.stdout.write(part.choices[0]?.delta?.content ?? "");`,
  };
  if (name === "responses") return {
    curl: `curl -N ${base}/responses \\\n  -H "Authorization: Bearer $TALLYGATE_KEY" \\\n  -H "Content-Type: application/json" \\\n  -d @- <<'JSON'\n${json}\nJSON`,
    Python: `import os\n\nfrom openai import OpenAI\n\nclient = OpenAI(base_url="${base}", api_key=os.environ["TALLYGATE_KEY"])\nrequest = ${python}\nfor event in client.responses.create(stream=True, **request):\n    if event.type == "response.output_text.delta":\n        print(event.delta, end="")`,
    JavaScript: `import OpenAI from "openai";\n\nconst client = new OpenAI({ baseURL: "${base}", apiKey: process.env.TALLYGATE_KEY });\nconst stream = await client.responses.create(${json});\nfor await (const event of stream) if (event.type === "response.output_text.delta") process.stdout.write(event.delta);`,
  };
  if (name === "gemini") {
    const { contents, generationConfig = {}, systemInstruction, tools } = body;
    const config = { ...generationConfig, ...(systemInstruction && { systemInstruction }), ...(tools && { tools }) };
    const whole = JSON.stringify({ model: request.model, contents, ...(Object.keys(config).length && { config }) }, null, 2);
    return {
      curl: `curl -N "${root}${pathOf(dialects.gemini, request.model)}" \\\n  -H "x-goog-api-key: $TALLYGATE_KEY" \\\n  -H "Content-Type: application/json" \\\n  -d @- <<'JSON'\n${json}\nJSON`,
      Python: `import os\n\nfrom google import genai\n\nclient = genai.Client(api_key=os.environ["TALLYGATE_KEY"], http_options={"base_url": "${root}"})\nrequest = ${words(whole)}\nfor part in client.models.generate_content_stream(**request):\n    print(part.text or "", end="")`,
      JavaScript: `import { GoogleGenAI } from "@google/genai";\n\nconst client = new GoogleGenAI({ apiKey: process.env.TALLYGATE_KEY, httpOptions: { baseUrl: "${root}" } });\nconst stream = await client.models.generateContentStream(${whole});\nfor await (const part of stream) process.stdout.write(part.text ?? "");`,
    };
  }
  return {
    curl: `curl -N ${base}/messages \\\n  -H "x-api-key: $TALLYGATE_KEY" \\\n  -H "anthropic-version: 2023-06-01" \\\n  -H "Content-Type: application/json" \\\n  -d @- <<'JSON'\n${json}\nJSON`,
    Python: `import os\n\nfrom anthropic import Anthropic\n\nclient = Anthropic(base_url="${root}", api_key=os.environ["TALLYGATE_KEY"])\nrequest = ${python}\nwith client.messages.stream(**request) as stream:\n    for text in stream.text_stream:\n        print(text, end="")`,
    JavaScript: `import Anthropic from "@anthropic-ai/sdk";\n\nconst client = new Anthropic({ baseURL: "${root}", apiKey: process.env.TALLYGATE_KEY });\nconst stream = client.messages.stream(${JSON.stringify(own, null, 2)});\nstream.on("text", (text) => process.stdout.write(text));\nawait stream.finalMessage();`,
  };
}
