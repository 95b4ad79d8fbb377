// Charts of figures with data-chart: drawn by Chart.js when it is at hand, else the table stays.
const drawn = new Map();
const name = "@/vendor/chart.js";
let library;

async function load() {
  library ??= import(name).then(() => globalThis.Chart, () => undefined);
  return library;
}

function colour(property) {
  // A canvas knows no light-dark(): the browser resolves it on an element.
  const probe = document.createElement("span");
  probe.hidden = true;
  probe.style.color = `var(${property})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

const language = document.documentElement.lang;
const formats = {
  usd: (value) => new Intl.NumberFormat(language, { style: "currency", currency: "USD", maximumFractionDigits: 6, minimumFractionDigits: 2 }).format(value / 1e6),
  ms: (value) => new Intl.NumberFormat(language, { style: "unit", unit: "millisecond" }).format(value),
  tokens: (value) => new Intl.NumberFormat(language, { notation: "compact" }).format(value),
  count: (value) => new Intl.NumberFormat(language, { notation: "compact" }).format(value),
};

// Days and hours, in UTC, are written as the reader writes them; the file keeps the form of ISO 8601.
const DAY = { month: "short", day: "numeric" };
const HOUR = { ...DAY, hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const dayFormat = new Intl.DateTimeFormat(language, { ...DAY, timeZone: "UTC" });
const hourFormat = new Intl.DateTimeFormat(language, { ...HOUR, timeZone: "UTC" });
const localFormat = new Intl.DateTimeFormat(language, { ...HOUR, timeZoneName: "short" });
const started = (label) => {
  const [, day, hour] = /^(\d{4}-\d\d-\d\d)(?: (\d\d:00))?$/.exec(label) ?? [];
  return day && { at: new Date(`${day}T${hour ?? "00:00"}Z`), format: hour ? hourFormat : dayFormat };
};
const labelled = (label) => { const found = started(label); return found ? found.format.format(found.at) : label; };
// Pointed at, a bucket also says when it begins where the reader is.
const titled = (label) => {
  const found = started(label);
  if (!found) return label;
  return [`${found.format.format(found.at)} UTC`, `${localFormat.format(found.at)} (${document.getElementById("live").dataset.local})`];
};

function options(spec) {
  const ink = colour("--soft");
  const line = colour("--line");
  const text = formats[spec.unit] ?? formats.count;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  return {
    responsive: true,
    maintainAspectRatio: false,
    animation: still ? false : { duration: 250 },
    interaction: { mode: "index", intersect: false },
    color: ink,
    plugins: {
      legend: { display: spec.series.length > 1, position: "bottom", labels: { color: colour("--ink"), boxWidth: 10, boxHeight: 10, useBorderRadius: true, borderRadius: 3, padding: 14 } },
      tooltip: {
        padding: 10, cornerRadius: 8, boxPadding: 4, itemSort: (a, b) => b.parsed.y - a.parsed.y, filter: (item) => item.parsed.y !== 0 || spec.series.length === 1,
        callbacks: {
          title: (items) => (items.length ? titled(spec.labels[items[0].dataIndex]) : ""),
          label: (item) => ` ${item.dataset.label}: ${text(item.parsed.y)}`,
          footer: (items) => (spec.stacked && items.length > 1 ? `= ${text(items.reduce((sum, item) => sum + item.parsed.y, 0))}` : ""),
        },
      },
    },
    scales: {
      x: { stacked: Boolean(spec.stacked), ticks: { color: ink, maxRotation: 0, autoSkipPadding: 16 }, grid: { display: false }, border: { color: line } },
      y: { stacked: Boolean(spec.stacked), beginAtZero: true, ticks: { color: ink, maxTicksLimit: 6, callback: text }, grid: { color: line }, border: { display: false } },
    },
  };
}

function datasets(spec) {
  return spec.series.map((series, index) => {
    const ink = colour(series.tone ? `--${series.tone}` : `--series-${(index % 8) + 1}`);
    return { label: series.label, data: series.values, backgroundColor: ink, borderColor: ink, borderWidth: spec.type === "line" ? 2 : 0, pointRadius: 0, pointHitRadius: 12, tension: 0.25, spanGaps: false, borderRadius: 2, maxBarThickness: 36 };
  });
}

/** Draw every chart within a node; again with new numbers when its data-chart has changed. */
export async function draw(root = document) {
  const Chart = await load();
  if (!Chart) return;
  for (const [figure, chart] of drawn) {
    if (!figure.isConnected) { chart.destroy(); drawn.delete(figure); }
  }
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.font.size = 12;
  for (const figure of root.querySelectorAll("[data-chart]")) {
    const spec = JSON.parse(figure.dataset.chart);
    drawn.get(figure)?.destroy();
    figure.querySelector(".plot").hidden = false;
    if (!drawn.has(figure)) figure.querySelector("details:not([data-keep])")?.removeAttribute("open");
    drawn.set(figure, new Chart(figure.querySelector("canvas"), {
      type: spec.type ?? "bar", data: { labels: spec.labels.map(labelled), datasets: datasets(spec) }, options: options(spec),
    }));
    figure.dataset.drawn = "true";
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(document));
