// The playground's page: composing, streaming to one or two columns, history.
import { copy, enliven, say } from "@/shell.js";
import { samples } from "@/playground-samples.js";
import { ask, costMicrousd, logged } from "@/playground-wire.js";
import { Store } from "@/playground-store.js";
import { render } from "@/playground-text.js";

const MAX_IMAGE_BYTES = 4 * 2 ** 20;
const root = document.getElementById("playground");
const words = JSON.parse(root.dataset.words);
const meanings = new Map(Object.entries(JSON.parse(root.dataset.errors)));
const UNREACHABLE = "unreachable"; // no code of the catalogue: the gateway said nothing at all
meanings.set(UNREACHABLE, words.unreachable);
const offers = new Map(JSON.parse(root.dataset.models).map((offer) => [offer.name, offer]));
const store = new Store(root.dataset.account);
const $ = (id) => document.getElementById(id);
const language = document.documentElement.lang;
const money = new Intl.NumberFormat(language, { style: "currency", currency: "USD", minimumFractionDigits: 2, maximumFractionDigits: 6 });
const count = new Intl.NumberFormat(language);
const milliseconds = new Intl.NumberFormat(language, { style: "unit", unit: "millisecond" });
const sought = new WeakSet(); // answers whose row of the log is being asked for
let conversation = fresh();
let images = [];
let running;

function fresh() {
  return { id: crypto.randomUUID?.() ?? String(Date.now()), at: Date.now(), turns: [] };
}

function element(tag, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
}

// --- one turn on the page --------------------------------------------------------------------

function showUser(turn) {
  const item = element("li", { className: "turn user" }, element("p", { className: "label", textContent: words.you }), element("div", { className: "said", textContent: turn.text }));
  for (const url of turn.images ?? []) item.append(element("img", { src: url, alt: words.picture, className: "picture" }));
  $("turns").append(item);
}

/** What the answer's own events tell, until the log does: its cost is reckoned at the price this page came with. */
function told({ usage, model, firstMs }) {
  if (!usage) return { firstMs };
  const cost = costMicrousd(usage, (offers.get(model) ?? offers.get(model.split(":")[0]))?.price);
  return { input: usage.input + usage.cacheRead + usage.cacheWrite, output: usage.output, microusd: cost, firstMs };
}

const failed = (answer) => Boolean(answer.error || answer.stopped);

function facts(answer) {
  const { input, output, microusd, firstMs } = answer.log ?? told(answer);
  const parts = [];
  if (input || output) parts.push(words.tokens.replace("{in}", count.format(input)).replace("{out}", count.format(output)));
  if (microusd !== undefined && !failed(answer)) {
    const amount = money.format(microusd / 1e6);
    parts.push(answer.log ? amount : words.estimated.replace("{amount}", amount));
  }
  if (firstMs !== undefined) parts.push(words.first.replace("{time}", milliseconds.format(firstMs)));
  return parts.join(" · ");
}

/** What was charged for an answer that did not come to its end, as a sentence. */
function charge(answer) {
  if (!answer.log) return sought.has(answer) ? words.seeking : words.unlogged;
  return answer.log.microusd ? words.charged.replace("{amount}", money.format(answer.log.microusd / 1e6)) : words.nothing;
}

/** Tokens, cost and time beneath an answer; they change once more when the log has them. */
function showFacts(column, answer) {
  column.querySelector(".facts-line > span").textContent = facts(answer);
  const line = column.querySelector(".charge");
  if (line) line.textContent = charge(answer);
}

/** Ask the log for an answer that ended, and keep what it says with the conversation. */
async function follow(column, answer, whole) {
  const log = await logged(answer.id);
  sought.delete(answer);
  if (log) answer.log = log;
  showFacts(column, answer);
  if (answer.error) say(charge(answer));
  if (log && store.all.includes(whole)) store.write();
}

function showAnswer(column, answer) {
  column.replaceChildren(element("p", { className: "label" }, element("code", { textContent: answer.model })));
  if (answer.reasoning) column.append(element("details", {}, element("summary", { textContent: words.reasoning }), element("div", { className: "said muted", textContent: answer.reasoning })));
  const said = element("div", { className: "said", textContent: answer.text });
  column.append(said);
  for (const tool of answer.tools.filter(Boolean)) {
    column.append(element("details", { open: true, className: "tool" }, element("summary", {}, `${words.tool} `, element("code", { textContent: tool.name })), element("pre", { tabIndex: 0, textContent: pretty(tool.arguments) })));
  }
  if (answer.stopped) column.append(element("p", { className: "note", textContent: words.stopped }));
  if (answer.error) {
    // What to do, in the reader's language; beneath it what the gateway said of this request.
    column.append(element("p", { className: "problem", textContent: meanings.get(answer.code) ?? words.failed }));
    if (answer.code !== UNREACHABLE) column.append(element("p", { className: "note", lang: "en", textContent: answer.error }));
  }
  if (failed(answer)) {
    column.append(element("p", { className: "note charge" }));
    if (answer.id) column.append(element("p", { className: "note request-id" }, `${words.requestId}: `, element("code", { textContent: answer.id })));
  }
  const foot = element("p", { className: "note facts-line" }, element("span"));
  if (answer.id || failed(answer)) foot.append(" ", element("a", { href: `/console/logs${answer.id ? `/${encodeURIComponent(answer.id)}` : ""}`, textContent: words.log }));
  if (answer.text) {
    const button = element("button", { type: "button", className: "plain", textContent: words.copy });
    button.addEventListener("click", () => copy(answer.text));
    foot.append(" ", button);
  }
  column.append(foot);
  showFacts(column, answer);
  return said;
}

function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

function columnsOf(turn) {
  const item = element("li", { className: "turn answers" });
  const columns = turn.answers.map(() => element("div", { className: "answer" }));
  item.append(...columns);
  $("turns").append(item);
  return columns;
}

async function showTurn(turn) {
  if (turn.role === "user") return showUser(turn);
  const columns = columnsOf(turn);
  for (const [index, answer] of turn.answers.entries()) await render(showAnswer(columns[index], answer), answer.text);
}

async function showConversation() {
  $("turns").replaceChildren();
  $("system").value = conversation.system ?? $("system").value;
  for (const turn of conversation.turns) await showTurn(turn);
  $("hint").hidden = conversation.turns.length > 0;
  showHistory();
}

// --- asking --------------------------------------------------------------------------------------

function chosenModels() {
  const names = [$("model").value];
  if ($("other").value) names.push($("other").value);
  return names;
}

function number(id) {
  return $(id).value === "" ? undefined : Number($(id).value);
}

function tools() {
  const text = $("tools").value.trim();
  if (!text) return undefined;
  const parsed = JSON.parse(text);
  return Array.isArray(parsed) ? parsed : [parsed];
}

function requestFor(model, column) {
  const messages = [];
  for (const turn of conversation.turns) {
    if (turn.role === "user") messages.push({ role: "user", text: turn.text, images: turn.images });
    else {
      const answer = turn.answers[Math.min(column, turn.answers.length - 1)];
      if (answer.text) messages.push({ role: "assistant", text: answer.text });
      else messages.pop(); // a question without an answer is not asked twice
    }
  }
  return { model, system: $("system").value.trim(), messages, params: { temperature: number("temperature"), top_p: number("top_p") }, tools: tools(), maxTokens: number("max_tokens") };
}

/** Whether the newest turn is in sight: only then does the page follow what is written. */
function atEnd() {
  return $("turns").getBoundingClientRect().bottom < innerHeight + 40;
}

async function answerInto(column, answer, request, signal) {
  let frame = 0;
  const shown = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      const near = atEnd();
      showAnswer(column, answer);
      if (near) column.parentElement.scrollIntoView({ block: "end" });
    });
  };
  try {
    await ask($("dialect").value, request, answer, signal, shown);
  } catch (error) {
    if (error.name === "AbortError") answer.stopped = true;
    else Object.assign(answer, error.told === undefined ? { error: words.unreachable, code: UNREACHABLE } : { error: error.told || "–", code: error.code });
  }
  cancelAnimationFrame(frame);
  if (answer.id) {
    sought.add(answer);
    follow(column, answer, conversation);
  }
  const near = atEnd();
  await render(showAnswer(column, answer), answer.text);
  if (near) column.parentElement.scrollIntoView({ block: "end" });
}

async function send(event) {
  event.preventDefault();
  const text = $("prompt").value.trim();
  if (running || (!text && !images.length)) return;
  try { tools(); } catch { say(words.badTools); $("tools").closest("details").open = true; $("tools").focus(); return; }
  const turn = { role: "user", text, images };
  conversation.turns.push(turn);
  conversation.title ??= text.slice(0, 60);
  conversation.system = $("system").value;
  showUser(turn);
  $("prompt").value = "";
  takeImages([]);
  $("hint").hidden = true;
  const models = chosenModels();
  const requests = models.map(requestFor);
  const reply = { role: "assistant", answers: models.map((model) => ({ model, text: "", reasoning: "", tools: [] })) };
  const columns = columnsOf(reply);
  columns.forEach((column, index) => showAnswer(column, reply.answers[index]));
  running = new AbortController();
  busy(true);
  columns[0].parentElement.scrollIntoView({ block: "end" });
  await Promise.all(columns.map((column, index) => answerInto(column, reply.answers[index], requests[index], running.signal)));
  running = undefined;
  busy(false);
  conversation.turns.push(reply);
  conversation.at = Date.now();
  keep();
  const some = (what) => reply.answers.some((answer) => answer[what]);
  say(some("error") ? words.failed : some("stopped") ? words.stopped : words.done);
  $("prompt").focus();
}

function busy(now) {
  $("send").hidden = now;
  $("stop").hidden = !now;
  $("turns").setAttribute("aria-busy", String(now));
  if (now) $("stop").focus();
}

// --- pictures, code, history -----------------------------------------------------------------

async function takeImages(files) {
  const small = [...files].filter((file) => file.type.startsWith("image/") && file.size <= MAX_IMAGE_BYTES);
  if (small.length < files.length) say(words.tooLarge);
  images = await Promise.all(small.map((file) => new Promise((resolve) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.readAsDataURL(file);
  })));
  $("images").value = "";
  $("chosen").replaceChildren(...images.map((url) => element("img", { src: url, alt: words.picture, className: "picture" })));
}

function showCode() {
  let request;
  try { request = requestFor($("model").value, 0); } catch { say(words.badTools); return; }
  const text = $("prompt").value.trim() || words.hello;
  if (request.messages.at(-1)?.role !== "user") request.messages.push({ role: "user", text });
  const tabs = element("div", { className: "code tabs" });
  tabs.dataset.tabs = "";
  const made = Object.entries(samples($("dialect").value, request, root.dataset.base));
  const segments = element("div", { className: "segments", role: "group" });
  segments.setAttribute("aria-label", words.code);
  tabs.append(element("header", {}, segments, element("button", { type: "button", className: "copy", textContent: words.copy })));
  for (const [name, sample] of made) {
    const button = element("button", { type: "button", textContent: name });
    button.dataset.tab = name;
    segments.append(button);
    const panel = element("div", {}, element("pre", { tabIndex: 0 }, element("code", { textContent: sample })));
    panel.dataset.panel = name;
    tabs.append(panel);
  }
  $("code-tabs").replaceChildren(tabs);
  $("code").showModal();
  enliven($("code-tabs"));
}

function keep() {
  if (!store.save(conversation)) {
    $("full").hidden = false;
    say(words.full);
  } else $("full").hidden = true;
  showHistory();
}

function showHistory() {
  $("size").textContent = words.size.replace("{count}", count.format(store.all.length)).replace("{size}", new Intl.NumberFormat(language, { style: "unit", unit: "kilobyte", maximumFractionDigits: 1 }).format(store.size / 1024));
  $("past").replaceChildren(...store.all.map((each) => {
    const open = element("button", { type: "button", className: "plain", textContent: each.title || words.untitled });
    if (each.id === conversation.id) open.setAttribute("aria-current", "true");
    open.addEventListener("click", () => { if (!running) { conversation = structuredClone(each); showConversation(); } });
    const remove = element("button", { type: "button", className: "quiet small", textContent: words.remove });
    remove.setAttribute("aria-label", `${words.remove}: ${each.title || words.untitled}`);
    remove.addEventListener("click", () => { store.remove(each.id); showHistory(); $("new").focus(); });
    return element("li", {}, open, " ", remove);
  }));
  $("export").disabled = $("clear").disabled = store.all.length === 0;
}

function exportAll() {
  const link = element("a", { href: URL.createObjectURL(store.export()), download: "playground.json" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

$("composer").addEventListener("submit", send);
$("prompt").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
});
$("stop").addEventListener("click", () => running?.abort());
$("images").addEventListener("change", (event) => takeImages(event.target.files));
$("show-code").addEventListener("click", showCode);
$("new").addEventListener("click", () => { if (!running) { conversation = fresh(); showConversation(); $("prompt").focus(); } });
$("export").addEventListener("click", exportAll);
$("clear").addEventListener("click", () => $("sure").showModal());
$("sure").addEventListener("close", () => {
  if ($("sure").returnValue === "yes") { store.clear(); conversation = fresh(); showConversation(); $("new").focus(); }
});
$("model").addEventListener("change", () => history.replaceState(null, "", `?model=${encodeURIComponent($("model").value)}`));
root.hidden = false;
showConversation();
