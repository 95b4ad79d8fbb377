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

// Days are written as the reader writes them; the table and the file keep the form of ISO 8601.
const dayFormat = new Intl.DateTimeFormat(language, { month: "short", day: "numeric", timeZone: "UTC" });
const labelled = (label) => (/^\d{4}-\d\d-\d\d$/.test(label) ? dayFormat.format(new Date(`${label}T00:00:00Z`)) : label);

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
