// Answers as Markdown, cleaned; as plain text where the libraries are not at hand.
let parts;

const load = (name) => import(name).catch(() => undefined);

const escaped = (text) => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

async function library() {
  parts ??= Promise.all([load("@/vendor/marked.js"), load("@/vendor/purify.js")]).then(([marked, purify]) => {
    const Marked = marked?.Marked ?? globalThis.marked?.Marked;
    const clean = purify?.default?.sanitize ? purify.default : globalThis.DOMPurify;
    if (!Marked || !clean?.sanitize) return undefined;
    // Elements that an answer writes itself are shown as they were written.
    const reader = new Marked({ async: false, renderer: { html: ({ text }) => escaped(text) } });
    return { parse: (text) => reader.parse(text), clean };
  });
  return parts;
}

// No element that loads, asks or styles anything: an answer is words, and links only lead away.
const RULES = {
  ALLOWED_TAGS: ["p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong", "del", "s", "sub", "sup", "a", "table", "thead", "tbody", "tr", "th", "td"],
  ALLOWED_ATTR: ["href", "start"],
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
  RETURN_DOM_FRAGMENT: true,
};

/** Show a finished text in a node. */
export async function render(node, text) {
  const found = await library();
  if (!found) {
    node.textContent = text;
    return;
  }
  const made = found.clean.sanitize(found.parse(text), RULES);
  for (const link of made.querySelectorAll("a[href]")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer";
  }
  // A heading of an answer is no heading of the page.
  for (const heading of made.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    const line = document.createElement("p");
    const strong = document.createElement("strong");
    strong.append(...heading.childNodes);
    line.append(strong);
    heading.replaceWith(line);
  }
  for (const block of made.querySelectorAll("pre")) block.tabIndex = 0;
  node.classList.add("rendered");
  node.replaceChildren(made);
}
