// Pages that fetch themselves again when the server says that something of the account changed.
// Only regions marked with data-live are swapped; what a person has open or focused stays.
import { enliven } from "@/shell.js";

const page = document.querySelector("[data-live-page]");
const SOONEST_MS = 1500;
const GIVEN_UP_MS = 15000;
let told = "";
let waiting = false;
let last = 0;

async function refresh() {
  waiting = false;
  last = Date.now();
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "manual" }).catch(() => undefined);
  if (!answer?.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const root = fresh.querySelector("[data-live-page]");
  if (!root) return location.reload();
  const names = (within) => [...within.querySelectorAll("[data-live]")].map((each) => each.dataset.live).filter(Boolean);
  // A page that has grown other parts (the first request came) is shown whole.
  if (names(root).join() !== names(page).join()) {
    if (!page.contains(document.activeElement)) { page.replaceChildren(...document.adoptNode(root).childNodes); enliven(page); }
    return;
  }
  for (const name of names(page)) {
    const old = page.querySelector(`[data-live="${CSS.escape(name)}"]`);
    const now = root.querySelector(`[data-live="${CSS.escape(name)}"]`);
    if (old.contains(document.activeElement)) continue;
    // A chart that was drawn differs from its source by what was drawn into it.
    const kept = old.querySelector("[data-chart]");
    if (kept && kept.dataset.chart === now.querySelector("[data-chart]")?.dataset.chart) continue;
    if (!kept && old.innerHTML === now.innerHTML) continue;
    const added = document.adoptNode(now);
    old.replaceWith(added);
    enliven(added);
  }
}

function changed() {
  if (waiting) return;
  waiting = true;
  setTimeout(refresh, Math.max(0, last + SOONEST_MS - Date.now()));
}

let source;
let clock = 0;
let again = 0;

function watch() {
  if (source || document.hidden) return;
  source = new EventSource(page.dataset.livePage);
  source.addEventListener("message", (event) => {
    const state = JSON.parse(event.data);
    if (told !== event.data && (told !== "" || state.running)) changed();
    told = event.data;
    // While something runs its time goes on.
    clearInterval(clock);
    if (state.running) clock = setInterval(changed, 2000);
  });
  // A lost connection is made again by the browser; where the answer was none (too many pages are
  // open, a proxy speaks for a gateway that restarts) it gives up, so we ask again, seldom.
  source.addEventListener("error", () => {
    if (source?.readyState !== EventSource.CLOSED) return;
    rest();
    again = setTimeout(watch, GIVEN_UP_MS);
  });
}

function rest() {
  source?.close();
  source = undefined;
  clearInterval(clock);
  clearTimeout(again);
}

if (page && "EventSource" in globalThis) {
  watch();
  // A browser holds few connections to one place: pages that nobody sees give theirs back.
  document.addEventListener("visibilitychange", () => { document.hidden ? rest() : watch(); });
  addEventListener("pagehide", rest);
}
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
