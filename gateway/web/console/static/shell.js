// Every page: copy buttons, menus, tabs, local times, shortcuts, busy buttons, one live region.
const live = document.getElementById("live");
let timer = 0;

/** Announce a few words, politely, for some seconds, and show them; `shown` is a class of theirs. */
export function say(words, shown = "") {
  const span = document.createElement("span");
  span.className = shown;
  span.textContent = words;
  live.replaceChildren(span);
  clearTimeout(timer);
  timer = setTimeout(() => live.replaceChildren(), 4000);
}

/** Put text on the clipboard and say so. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    say(live.dataset.copied);
  } catch {
    say(live.dataset.notCopied);
  }
}

/** Make what was added to the page after its load alive, too. */
export function enliven(root) {
  if (navigator.clipboard) {
    for (const button of root.querySelectorAll("button.copy")) {
      button.hidden = false;
      button.addEventListener("click", () => {
        const codes = [...button.closest(".code, .command, .address, .secret").querySelectorAll("code")];
        const shown = codes.find((code) => code.checkVisibility()) ?? codes[0];
        copy(shown.textContent);
      });
    }
  }
  const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "long" });
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.valueOf())) continue;
    const local = `${format.format(at)} (${live.dataset.local})`;
    time.title = time.title ? `${time.title}, ${local}` : local;
  }
  for (const tabs of root.querySelectorAll("[data-tabs]")) startTabs(tabs);
  if (root.querySelector("[data-chart]")) import("@/charts.js").then((charts) => charts.draw(root));
}

function startTabs(tabs) {
  const buttons = [...tabs.querySelectorAll("[data-tab]")];
  const show = (name) => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.tab === name));
    for (const panel of tabs.querySelectorAll("[data-panel]")) panel.hidden = panel.dataset.panel !== name;
  };
  for (const button of buttons) button.addEventListener("click", () => show(button.dataset.tab));
  tabs.querySelector(".segments").hidden = false;
  if (buttons.length) show(buttons[0].dataset.tab);
}

function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (menu !== except) menu.open = false;
  }
}

document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button || event.defaultPrevented || event.target.method === "dialog") return;
  // Disabled only after the form is read, or the button's own value would be lost.
  setTimeout(() => { button.setAttribute("aria-busy", "true"); button.disabled = true; });
});
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll('button[aria-busy="true"]')) {
    button.removeAttribute("aria-busy");
    button.disabled = false;
  }
});

// Shortcuts of one key can be switched off (WCAG 2.2, 2.1.4); the choice stays in this browser.
const shortcuts = document.getElementById("shortcuts");
const wanted = document.getElementById("shortcuts-on");
wanted.checked = localStorage.getItem("shortcuts") !== "off";
wanted.addEventListener("change", () => localStorage.setItem("shortcuts", wanted.checked ? "on" : "off"));
// The menu's way to the list stays where the keys are off; closed, it gives the focus back to the menu.
const opener = document.getElementById("shortcuts-open");
opener.hidden = false;
opener.querySelector("button").addEventListener("click", () => {
  const menu = opener.closest("details");
  menu.open = false;
  menu.querySelector("summary").focus();
  shortcuts.showModal();
});
let leading = false;
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const menu = document.querySelector("details.menu[open]");
    if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
    return;
  }
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !wanted.checked) return;
  if (leading) {
    leading = false;
    document.querySelector(`.rail a[data-key="${CSS.escape(event.key)}"]`)?.click();
  } else if (event.key === "g") {
    leading = true;
    setTimeout(() => { leading = false; }, 1500);
  } else if (event.key === "?") {
    shortcuts.showModal();
  } else if (event.key === "/") {
    const search = document.querySelector("input[type=search]");
    if (search) { event.preventDefault(); search.focus(); }
  }
});

// A form that was refused: whoever cannot see the page hears at once what is wrong with it.
const wrong = document.querySelector('main [aria-invalid="true"]') ?? document.querySelector('main [role="alert"]:not([hidden])');
if (wrong) {
  if (!wrong.matches("input, select, textarea")) wrong.tabIndex = -1;
  wrong.focus();
}

// What a form did is said once: not again where the page is loaded anew.
const done = document.querySelector("main [data-say]");
if (done) {
  say(done.textContent);
  history.replaceState(null, "", location.pathname);
}

// On a narrow screen the strip of pages starts with the present one in view.
const strip = document.querySelector(".rail");
const here = strip?.querySelector("[aria-current]");
if (here && strip.scrollWidth > strip.clientWidth) strip.scrollLeft = here.offsetLeft - 16;
// What a form led to stands on the page; whoever cannot see it hears it from the live region.
const told = document.querySelector("main [data-say]");
if (told) say(told.textContent.replace(/\s+/g, " ").trim(), "unseen");
enliven(document);
if (document.querySelector("[data-again]")) import("@/again.js");
