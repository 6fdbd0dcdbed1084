/* charts.js - Chart.js with our colours. Nothing moves: answers come each second, and a chart that is redrawn must stand still. */
import { el } from "./dom.js";
import { compact } from "./format.js";

/* A colour of the style sheet as canvas understands it, light or dark as the page is. */
const probe = el("span", { class: "probe", "aria-hidden": "true" });
export function colour(name) {
  if (!probe.isConnected) {
    document.body.append(probe);
  }
  probe.style.setProperty("color", `var(--${name})`);
  return getComputedStyle(probe).color;
}

/* As many labels as have room beside each other. */
const labelsIn = (box, most) => Math.max(2, Math.min(most, Math.floor(box.clientWidth / 72)));

const library = new Promise((resolve, reject) => {
  if (window.Chart) {
    resolve(window.Chart);
  } else {
    const script = document.querySelector('script[src="chart.js"]');
    script.addEventListener("load", () => resolve(window.Chart));
    script.addEventListener("error", () => reject(new Error("the chart library did not come")));
  }
});

function axis({ title, isNumber, position, grid = true, max, ticks = {} }) {
  return {
    position, beginAtZero: true, max,
    title: { display: Boolean(title), text: title, color: colour("ink-2") },
    grid: { color: colour("line"), drawBorder: false, display: grid, drawTicks: false },
    ticks: { color: colour("ink-2"), maxTicksLimit: 6, padding: 6, ...(isNumber ? { callback: (value) => compact(value) } : {}), ...ticks },
  };
}

/* Draws into `box`, and again into the same canvas when it is called again. `spec`: {label, type, labels, sets, axes, tooltip} */
export async function draw(box, spec) {
  box.latest = spec;
  const Chart = await library;
  if (box.latest !== spec) {
    return; /* another answer came while the library did */
  }
  const config = configOf(spec, box);
  if (box.chart) {
    Object.assign(box.chart.config, { type: config.type });
    box.chart.data = config.data;
    box.chart.options = config.options;
    box.canvas.setAttribute("aria-label", spec.label);
    box.chart.update("none");
    return;
  }
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  box.canvas = el("canvas", { role: "img", "aria-label": spec.label });
  box.replaceChildren(el("div", { class: `chart ${spec.tall ? "tall" : ""}` }, box.canvas));
  box.chart = new Chart(box.canvas, config);
  performance.mark("first-chart");
}

export function end(box) {
  box.latest = null;
  box.chart?.destroy();
  box.chart = null;
}

/* A dashed line is a whole square in the legend. */
const legend = (chart) => window.Chart.defaults.plugins.legend.labels.generateLabels(chart).map((each) => ({ ...each, lineDash: [], lineWidth: 0 }));

function configOf(spec, box) {
  return {
    type: spec.type,
    data: { labels: spec.labels, datasets: spec.sets },
    options: {
      animation: false, responsive: true, maintainAspectRatio: false, normalized: true,
      interaction: { mode: "index", intersect: false, axis: spec.indexAxis === "y" ? "y" : "x" },
      indexAxis: spec.indexAxis,
      plugins: {
        legend: { display: spec.sets.length > 1, position: "top", align: "end", labels: { color: colour("ink"), boxWidth: 12, boxHeight: 12, generateLabels: legend } },
        tooltip: {
          backgroundColor: colour("ink"), titleColor: colour("card"), bodyColor: colour("card"), padding: 10, cornerRadius: 6, displayColors: spec.sets.length > 1,
          callbacks: spec.tooltip,
        },
      },
      scales: Object.fromEntries(Object.entries(spec.axes).map(([name, each]) => [name, axis(name === "x" ? { ...each, ticks: { ...each.ticks, maxTicksLimit: labelsIn(box, each.ticks?.maxTicksLimit ?? 12) } } : each)])),
    },
  };
}

export const lineSet = (name, data, colourName, more = {}) => ({
  label: name, data, borderColor: colour(colourName), backgroundColor: colour(colourName), borderWidth: 2, pointRadius: data.length < 3 ? 3 : 0, pointHitRadius: 8, tension: 0, ...more,
});
export const barSet = (name, data, colourName, more = {}) => ({
  label: name, data, backgroundColor: colour(colourName), borderRadius: 2, categoryPercentage: 0.92, barPercentage: 0.92, ...more,
});
