// A part of a page that is under way fetches itself again until it is done, and says so then.
import { enliven, say } from "@/shell.js";

const EVERY_MS = 2000;

async function again(old) {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "manual" }).catch(() => undefined);
  if (!answer?.ok) return setTimeout(again, EVERY_MS, old);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const found = fresh.querySelector(`[aria-labelledby="${CSS.escape(old.getAttribute("aria-labelledby"))}"]`);
  if (!found) return location.reload();
  const now = document.adoptNode(found);
  const focused = old.contains(document.activeElement);
  old.replaceWith(now);
  enliven(now);
  if (focused) now.querySelector("a, button")?.focus({ preventScroll: true });
  if (now.hasAttribute("data-again")) setTimeout(again, EVERY_MS, now);
  else say(now.querySelector(".state")?.textContent ?? "");
}

for (const part of document.querySelectorAll("[data-again]")) setTimeout(again, EVERY_MS, part);
