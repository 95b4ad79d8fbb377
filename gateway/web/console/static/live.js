// Pages that fetch themselves again when the server says that something of the account changed.
// Only regions marked with data-live are swapped; what a person has open, focused or scrolled stays.
import { enliven } from "@/shell.js";

const page = document.querySelector("[data-live-page]");
const SOONEST_MS = 1500;
const GIVEN_UP_MS = 15000;
const TYPED = "input, select, textarea, [contenteditable]";
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
    // A chart that was drawn differs from its source by what was drawn into it.
    const kept = old.querySelector("[data-chart]");
    if (kept && kept.dataset.chart === now.querySelector("[data-chart]")?.dataset.chart) continue;
    if (!kept && old.innerHTML === now.innerHTML) continue;
    const added = document.adoptNode(now);
    const focused = old.contains(document.activeElement) ? document.activeElement : undefined;
    const again = focused && counterpart(focused, old, added);
    // Where somebody types, selects or stands on what is no longer there, nothing is taken away.
    if (focused && (!again || focused.matches(TYPED))) continue;
    if (old.contains(getSelection().anchorNode) && !getSelection().isCollapsed) continue;
    keepOpen(old, added);
    const scrolled = [...old.querySelectorAll("*")].filter((each) => each.scrollLeft || each.scrollTop)
      .map((each) => [counterpart(each, old, added), each.scrollLeft, each.scrollTop]);
    const [left, top] = [scrollX, scrollY];
    old.replaceWith(added);
    enliven(added);
    for (const [each, x, y] of scrolled) each?.scrollTo({ left: x, top: y, behavior: "instant" });
    again?.focus({ preventScroll: true });
    if (scrollX !== left || scrollY !== top) scrollTo({ left, top, behavior: "instant" });
  }
}

/** The element of a new region that stands for one of the old: by its words and place among its like. */
function counterpart(element, old, added) {
  const like = (within) => [...within.querySelectorAll(element.localName)].filter((each) =>
    ["href", "class", "name", "aria-label"].every((name) => each.getAttribute(name) === element.getAttribute(name)));
  return like(added)[like(old).indexOf(element)];
}

/** What was opened is open, what was closed is closed; a chart takes the room it had. */
function keepOpen(old, added) {
  const before = [...old.querySelectorAll("details")];
  const after = [...added.querySelectorAll("details")];
  if (before.length !== after.length) return;
  before.forEach((each, index) => {
    const figure = each.closest("[data-chart]");
    if (figure && !figure.dataset.drawn) return; // the script that draws it decides yet
    after[index].open = each.open;
    if (!figure) return;
    after[index].dataset.keep = "";
    after[index].closest("[data-chart]").querySelector(".plot").hidden = false;
  });
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
