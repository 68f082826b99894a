"use strict";
// How plots look.

const dark = matchMedia("(prefers-color-scheme: dark)");
const LEAST_ERROR = 1e-4;
const LEAST_RATIO = 4; // of the errors at the ends of an axis of accuracies: less would make a chasm of a small drop
const LEAST_SPAN = 0.2; // of the largest value, on any other axis
const ACCURACIES = [0, 0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.985, 0.99, 0.993, 0.995, 0.997, 0.998, 0.999, 0.9995, 0.9999];

function theme() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return {
    text: of("--text"),
    quiet: of("--quiet"),
    ground: of("--ground"),
    line: of("--line"),
    accent: of("--accent"),
    series: of("--series")
      .split(",")
      .map((colour) => colour.trim()),
  };
}

function axis(title, values, more = {}) {
  const colours = theme();
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const log = low > 0 && high > 5 * low;
  const type = log ? { type: "log", tickvals: ticks(low, high) } : { type: "linear", ...span(low, high) };
  return {
    title: { text: title },
    gridcolor: colours.line,
    zerolinecolor: colours.line,
    automargin: true,
    ...type,
    ...more,
  };
}

function span(low, high) {
  const least = LEAST_SPAN * Math.abs(high);
  if (!(high - low < least)) return {};
  const middle = (low + high) / 2;
  return { range: [middle - 0.6 * least, middle + 0.6 * least] };
}

// An axis of accuracies by the logarithm of the error, which is plotted: 0.99 and 0.995 are as far from each other as
// 0.98 and 0.99.
const isAccuracy = (key) => key === "accuracy" && data.labels.length > 0; // another metric has other units
const error = (accuracy) => Math.max(1 - accuracy, LEAST_ERROR);

function accuracyAxis(title, values) {
  const [low, high] = [error(Math.max(...values)), error(Math.min(...values))];
  const below = Math.max(1.2, Math.sqrt((LEAST_RATIO * low) / high));
  const above = Math.max(below, (high / low) ** 0.2); // room for the labels of the frontier
  const shown = ACCURACIES.filter((one) => error(one) >= low / above && error(one) <= high * below);
  return axis(`${title} (log scale of the error)`, [0], {
    type: "log",
    range: [Math.log10(Math.min(1, high * below)), Math.log10(low / above)], // reversed: less error is better
    tickvals: shown.map(error),
    ticktext: shown.map((one) => `${number(100 * one)} %`),
  });
}

function ticks(low, high) {
  const steps = high / low > 1e3 ? [1] : [1, 2, 5];
  const powers = Array.from(
    { length: 2 + Math.ceil(Math.log10(high / low)) },
    (_, place) => Math.floor(Math.log10(low)) + place,
  );
  return powers.flatMap((power) => steps.map((step) => step * 10 ** power));
}

function draw(place, traces, layout) {
  if (!globalThis.Plotly) return Promise.resolve(); // what is shown is drawn when it is there: see start.js
  const colours = theme();
  return Plotly.react(
    place,
    traces,
    {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      colorway: colours.series,
      font: { color: colours.text, family: "system-ui, sans-serif", size: 13 },
      hoverlabel: { bgcolor: colours.ground, bordercolor: colours.line, font: { color: colours.text }, align: "left" },
      margin: { l: 56, r: 12, t: 8, b: 48 },
      hovermode: "closest",
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
      ...layout,
    },
    { responsive: true, displayModeBar: false },
  );
}
