"use strict";
// What the page does: the frontier, sorting and filtering, and the view of one experiment. Names may hold anything:
// they come into the page as text nodes, and to Plotly, which reads markup, through `plain`.

const data = JSON.parse(document.getElementById("data").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
const $ = (id) => document.getElementById(id);
const plain = (name) => shortened(name).replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const shortened = (name) => (name.length > 48 ? name.slice(0, 47) + "…" : name);
const metrics = Object.fromEntries(data.metrics.map((metric) => [metric.key, metric]));
const MARKERS = ["circle", "square", "diamond", "triangle-up", "cross", "star", "hexagon"];

function element(tag, text = "", attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// Figures of targets are many: only those of the target that was chosen are in tables.
const shownFigures = () => data.examined.filter((key) => !metrics[key].of || metrics[key].of === $("target")?.value);

function options(select, names, chosen) {
  select.replaceChildren(...names.map(([value, text]) => element("option", text, { value })));
  select.value = chosen;
}

// ---- plots

function theme() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return { text: of("--text"), quiet: of("--quiet"), ground: of("--ground"), line: of("--line"), accent: of("--accent"),
    series: of("--series").split(",").map((colour) => colour.trim()) };
}

function axis(title, values, more = {}) {
  const colours = theme();
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const type = low > 0 && high > 5 * low ? { type: "log", tickvals: ticks(low, high) } : { type: "linear" };
  return { title: { text: title }, gridcolor: colours.line, zerolinecolor: colours.line, automargin: true, ...type, ...more };
}

function ticks(low, high) {
  const steps = high / low > 1e3 ? [1] : [1, 2, 5];
  const powers = Array.from({ length: 2 + Math.ceil(Math.log10(high / low)) }, (_, place) => Math.floor(Math.log10(low)) + place);
  return powers.flatMap((power) => steps.map((step) => step * 10 ** power));
}

function draw(place, traces, layout) {
  const colours = theme();
  Plotly.react(place, traces, {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", colorway: colours.series,
    font: { color: colours.text, family: "system-ui, sans-serif", size: 13 },
    hoverlabel: { bgcolor: colours.ground, bordercolor: colours.line, font: { color: colours.text }, align: "left" },
    margin: { l: 56, r: 12, t: 8, b: 48 }, hovermode: "closest",
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 }, ...layout,
  }, { responsive: true, displayModeBar: false });
}

// ---- the frontier

const beats = (metric, one, other) => (metrics[metric].better === "lower" ? one < other : one > other);

function frontier(rows, x, y) {
  const beaten = (row) => rows.some((other) =>
    !beats(x, row[x], other[x]) && !beats(y, row[y], other[y]) && (other[x] !== row[x] || other[y] !== row[y]));
  return rows.filter((row) => !beaten(row)).sort((one, other) => one[x] - other[x]);
}

function bars(rows, key, colour) {
  const interval = (row) => row[key + "_interval"];
  if (!rows.some((row) => interval(row)?.length)) return undefined;
  const reach = (end) => rows.map((row) => (interval(row)?.length ? Math.abs(row[key] - interval(row)[end]) : 0));
  return { type: "data", symmetric: false, array: reach(1), arrayminus: reach(0), thickness: 1, width: 3, color: colour };
}

const number = (value) => value.toLocaleString("en", Number.isInteger(value) ? {} : { maximumSignificantDigits: 4 });

function described(row) {
  const axes = [$("x").value, $("y").value];
  const told = ({ key, of }) => row[key] !== null && row[key] !== undefined && (!of || axes.includes(key));
  const lines = data.metrics.filter(told).map(({ key, label, unit }) => {
    const ends = row[key + "_interval"];
    return `${plain(label)}: ${number(row[key])}` + (unit && ` ${plain(unit)}`) + (ends?.length ? ` (${number(ends[0])} to ${number(ends[1])})` : "");
  });
  return [`<b>${plain(row.experiment)}</b> ${plain(row.variant)}`, ...lines].join("<br>");
}

function drawFrontier() {
  const [x, y, variant] = ["x", "y", "variant"].map((id) => $(id).value);
  const has = (row, key) => row[key] !== null && row[key] !== undefined; // a Keras model is not examined
  const rows = data.rows.filter((row) => (variant === "" || row.variant === variant) && has(row, x) && has(row, y));
  const best = frontier(rows, x, y);
  const colours = theme();
  const traces = [{
    x: best.map((row) => row[x]), y: best.map((row) => row[y]), mode: "lines", name: "frontier", hoverinfo: "skip",
    line: { color: colours.quiet, width: 1.5, shape: metrics[x].better === "lower" ? "hv" : "vh" },
  }];
  const models = [...new Set(data.rows.map((row) => row.model))];
  models.forEach((model, place) => {
    const colour = colours.series[place % colours.series.length];
    const symbol = MARKERS[place % MARKERS.length];
    for (const on of [false, true]) {
      const part = rows.filter((row) => row.model === model && best.includes(row) === on);
      if (!part.length) continue;
      traces.push({
        x: part.map((row) => row[x]), y: part.map((row) => row[y]), mode: "markers", name: plain(model),
        legendgroup: String(place), showlegend: on || !best.some((row) => row.model === model),
        marker: { color: colour, symbol: on ? symbol : symbol + "-open", size: on ? 13 : 9,
          line: { width: on ? 1 : 1.5, color: on ? colours.text : colour } },
        opacity: on ? 1 : 0.75, error_x: bars(part, x, colour), error_y: bars(part, y, colour),
        text: part.map(described), hovertemplate: "%{text}<extra></extra>", customdata: part.map((row) => data.rows.indexOf(row)),
      });
    }
  });
  const title = ({ label, unit }) => plain(label) + (unit ? `, ${plain(unit)}` : "");
  draw($("plot"), traces, {
    xaxis: axis(title(metrics[x]), rows.map((row) => row[x])), yaxis: axis(title(metrics[y]), rows.map((row) => row[y])),
  });
}

function startFrontier() {
  const names = data.metrics.map(({ key, label }) => [key, label]);
  options($("x"), names, "median_us");
  options($("y"), names, "accuracy");
  const variants = [...new Set(data.rows.map((row) => row.variant))];
  options($("variant"), [["", "all"], ...variants.map((name) => [name, name])], "");
  for (const id of ["x", "y", "variant"]) $(id).addEventListener("change", drawFrontier);
  drawFrontier();
  $("plot").on("plotly_click", ({ points }) => {
    const row = data.rows[points[0].customdata];
    if (row) show(row.experiment, row.variant);
  });
}

// ---- tables

function value(row, column) {
  const cell = row.cells[column];
  if (cell.dataset.value === undefined) return cell.textContent;
  return cell.dataset.value === "" ? null : Number(cell.dataset.value);
}

function sort(table, column) {
  const head = table.tHead.rows[0].cells[column];
  const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
  const compare = (one, other) => {
    if (one === null || other === null) return (one === null) - (other === null); // what is missing is last both ways
    return sign * (typeof one === "number" ? one - other : one.localeCompare(other, "en", { numeric: true }));
  };
  const rows = [...table.tBodies[0].rows];
  table.tBodies[0].append(...rows.sort((one, other) => compare(value(one, column), value(other, column))));
}

function filter(controls) {
  const rows = [...$(controls.dataset.table).tBodies[0].rows];
  const words = controls.querySelector("input").value.toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = [...controls.querySelectorAll("select")].filter((select) => select.value !== "");
  for (const row of rows) {
    const text = [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase();
    row.hidden = !words.every((word) => text.includes(word)) ||
      !chosen.every((select) => row.cells[select.dataset.column].textContent === select.value);
  }
  controls.querySelector("output").textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} lines`;
}

function showTarget() {
  const { value } = $("target");
  for (const cell of document.querySelectorAll("#results-table [data-of]")) cell.hidden = !["", value].includes(cell.dataset.of);
}

function startTables() {
  if ($("target")) {
    $("target").addEventListener("change", showTarget);
    showTarget();
  }
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((head, column) =>
      head.querySelector("button").addEventListener("click", () => sort(table, column)));
  }
  for (const controls of document.querySelectorAll(".filters[data-table]")) {
    for (const event of ["input", "change"]) controls.addEventListener(event, () => filter(controls));
    filter(controls);
  }
  document.addEventListener("click", (event) => {
    const target = event.target.closest("tr[data-experiment], button.open");
    if (target) show(target.dataset.experiment, target.dataset.variant);
  });
}

function table(heads, lines) {
  const made = element("table");
  const head = made.createTHead().insertRow();
  head.append(...heads.map((name) => element("th", name, { scope: "col" })));
  const body = made.createTBody();
  for (const line of lines) {
    const row = body.insertRow();
    for (const cell of line) row.append(cell instanceof Node ? cell : element("td", cell ?? "—"));
  }
  return made;
}

const figure = (text) => element("td", text ?? "—", { class: "number" });

// ---- one experiment

let shown = null;

function show(experiment, variant) {
  const rows = data.rows.filter((row) => row.experiment === experiment);
  if (!rows.length) return;
  const row = rows.find((one) => one.variant === variant) ?? rows[0];
  shown = row;
  options($("detail-variant"), rows.map((one) => [one.variant, one.variant]), row.variant);
  if (!$("detail").open) $("detail").showModal();
  drawDetail();
}

function drawDetail() {
  const row = shown;
  const known = data.experiments[row.experiment];
  const rows = data.rows.filter((one) => one.experiment === row.experiment);
  const detail = (one) => data.details[`${one.experiment} ${one.variant}`];
  $("detail-title").textContent = row.experiment;
  $("detail-about").textContent = `model ${row.model}, recipe ${row.recipe}, seed ${row.seed}; ` +
    `${row.parameters.toLocaleString("en")} parameters, ${row.macs.toLocaleString("en")} MACs; ` +
    (known.is_baseline ? "what its other recipes are judged against" :
      `may lose ${known.budget} against ${known.baseline ?? "a baseline, which was not run"}`);
  for (const place of document.querySelectorAll(".of-variant")) place.textContent = `of ${row.variant}`;
  drawVariants(rows, detail);
  drawStages(known.stages);
  drawLayers(detail(row).layers);
  drawConfusion(detail(row).wrong);
  drawNewlyWrong(detail(row), known.baseline);
}

function drawVariants(rows, detail) {
  const heads = ["variant", "accuracy", "accuracy drop", "bytes", "gzip", "median, µs", "p90, µs", "load, ms", "first, ms", "heap, bytes", "kernels",
    ...shownFigures().map((key) => metrics[key].label + (metrics[key].unit && `, ${metrics[key].unit}`))];
  $("detail-variants").replaceChildren(table(heads, rows.map((row) => {
    const ran = detail(row).execution;
    return [row.variant, ...[row.accuracy.toFixed(4), row.drop === null ? "–" : row.drop.toFixed(4), row.bytes.toLocaleString("en"),
      row.gzip_bytes.toLocaleString("en"), row.median_us.toFixed(2), row.p90_us?.toFixed(2),
      ran?.load_ms.toFixed(2), ran?.first_ms.toFixed(3),
      ran?.heap_bytes?.toLocaleString("en")].map(figure), ran?.delegate,
      ...shownFigures().map((key) => figure(row[key]?.toLocaleString("en")))];
  })));
  const traces = rows.filter((row) => detail(row).quantiles_us.length).map((row) => {
    const times = detail(row).quantiles_us;
    return { x: times, y: times.map((_, place) => place / (times.length - 1)), name: plain(row.variant), mode: "lines",
      hovertemplate: "%{y:.1%} of calls within %{x:.2f} µs<extra>" + plain(row.variant) + "</extra>" };
  });
  draw($("times"), traces, {
    xaxis: axis("one call, µs", traces.flatMap((trace) => trace.x)), yaxis: axis("share of calls", [0, 1], { range: [0, 1.02] }),
  });
}

// "80 % zeros: conv2d, dense": the layers of each invariant.
function invariants(stage) {
  const entries = Object.entries(stage.invariants);
  const kinds = [...new Set(entries.map(([, invariant]) => invariant))];
  return kinds.map((kind) =>
    `${kind}: ${entries.filter(([, invariant]) => invariant === kind).map(([layer]) => layer).join(", ")}`).join("; ");
}

function drawStages(stages) {
  $("detail-stages").replaceChildren(table(
    ["stage", "epochs", "batch", "invariants", "preserves"],
    stages.map((stage) => [stage.stage, figure(stage.epochs), figure(stage.batch), invariants(stage), stage.preserve.join(", ")]),
  ));
  const error = (key) => stages.flatMap((stage) => stage[key].map((accuracy) => 100 * (1 - accuracy)));
  const traces = [["training", "accuracy"], ["validation", "val_accuracy"]].map(([name, key]) => ({
    name, y: error(key), x: error(key).map((_, place) => place + 1), mode: "lines+markers",
    hovertemplate: `epoch %{x}: %{y:.2f} %<extra>${name}</extra>`,
  }));
  const starts = stages.map((_, place) => stages.slice(0, place).reduce((sum, stage) => sum + stage.epochs, 0) + 0.5);
  const colours = theme();
  draw($("curve"), traces, {
    xaxis: axis("epoch, over all stages", [0]), yaxis: axis("error, %", traces.flatMap((trace) => trace.y)),
    shapes: starts.slice(1).map((x) => ({ type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1,
      line: { color: colours.quiet, width: 1, dash: "dot" } })),
    annotations: stages.map((stage, place) => ({ x: starts[place], y: 1, yref: "paper", text: plain(stage.stage), textangle: -90,
      showarrow: false, xanchor: "left", xshift: 4, yanchor: "top", font: { color: colours.quiet, size: 11 } })),
  });
}

function drawLayers(layers) {
  $("detail-layers").replaceChildren(table(
    ["layer", "weights", "zeros", "values", "in force", ""],
    layers.map((layer) => [layer.name, figure(layer.size.toLocaleString("en")), figure((100 * layer.zeros).toFixed(1) + " %"),
      figure(layer.values), layer.in_force || null, layer.faults.length ? element("td", layer.faults.join("; "), { class: "fault" }) :
        element("td", layer.in_force ? "holds" : "", { class: "holds" })]),
  ));
  for (const old of $("weights").querySelectorAll(".histogram")) Plotly.purge(old);
  $("weights").replaceChildren(...layers.map((layer) => element("div", "", { class: "histogram" })));
  layers.forEach((layer, place) => {
    const width = (layer.high - layer.low) / layer.histogram.length;
    draw($("weights").children[place], [{
      type: "bar", y: layer.histogram, x: layer.histogram.map((_, bin) => layer.low + (bin + 0.5) * width), width,
      hovertemplate: "%{y} weights near %{x:.3g}<extra></extra>",
    }], { title: { text: plain(layer.name), font: { size: 12 } }, margin: { l: 44, r: 8, t: 32, b: 28 }, bargap: 0, showlegend: false,
      xaxis: axis("", [0]), yaxis: axis("", [1, Math.max(6, ...layer.histogram)]) });
  });
}

const MOST_CLASSES = 50;

function confusion(wrong) {
  const mistakes = new Map();
  for (const label of data.labels) mistakes.set(label, 0);
  for (const [label, given, count] of wrong) for (const one of [label, given]) mistakes.set(one, (mistakes.get(one) ?? 0) + count);
  const worst = [...mistakes.keys()].sort((one, other) => mistakes.get(other) - mistakes.get(one)).slice(0, MOST_CLASSES);
  const names = worst.sort((one, other) => one - other);
  const place = new Map(names.map((name, index) => [name, index]));
  const counts = names.map(() => names.map(() => 0));
  const add = (label, given, count) => {
    if (place.has(label) && place.has(given)) counts[place.get(label)][place.get(given)] += count;
  };
  for (const label of data.labels) add(label, label, 1);
  for (const [label, given, count] of wrong) {
    add(label, given, count);
    add(label, label, -count);
  }
  return { names: names.map(String), counts };
}

function drawConfusion(wrong) {
  const { names, counts } = confusion(wrong);
  const colours = theme();
  draw($("confusion"), [{
    type: "heatmap", x: names, y: names, z: counts.map((line) => line.map((count) => Math.log1p(count))), customdata: counts,
    text: counts.length > 20 ? undefined : counts, texttemplate: "%{text}", showscale: false, xgap: 1, ygap: 1,
    colorscale: [[0, colours.ground], [1, colours.accent]],
    hovertemplate: "label %{y}, answered %{x}: %{customdata}<extra></extra>",
  }], { xaxis: axis("answered", [0], { type: "category" }),
    yaxis: axis("label", [0], { type: "category", autorange: "reversed" }) });
}

let sheet = null;

function drawNewlyWrong({ newly_wrong: count, shown: some }, baseline) {
  const { images } = data;
  const which = baseline ? `${count} inputs of the test set` : "No baseline was run";
  $("newly-wrong-about").textContent = which + (count > some.length ? `; the first ${some.length} of them` : "") +
    (count && !images ? "; their numbers, as there are no pictures of them here" : "");
  if (images && sheet === null) {
    const bytes = Uint8Array.from(atob(images.png), (character) => character.charCodeAt(0));
    sheet = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
  }
  const zoom = images ? Math.max(1, Math.round(64 / images.width)) : 1;
  $("newly-wrong").replaceChildren(...some.map(([index, given]) => {
    const place = images?.places[index];
    const made = element("figure", "", { title: `input ${index}` });
    if (place !== undefined) {
      const picture = element("i");
      const [left, top] = [place % images.columns, Math.floor(place / images.columns)];
      Object.assign(picture.style, {
        width: `${zoom * images.width}px`, height: `${zoom * images.height}px`, backgroundImage: `url(${sheet})`,
        backgroundSize: `${zoom * images.sheet[0]}px ${zoom * images.sheet[1]}px`,
        backgroundPosition: `${-zoom * images.width * left}px ${-zoom * images.height * top}px`,
      });
      made.append(picture);
    } else made.append(`input ${index}: `);
    made.append(`${data.labels[index]}, not ${given}`);
    return made;
  }));
}

function startDetail() {
  $("detail-variant").addEventListener("change", () => show(shown.experiment, $("detail-variant").value));
  $("close").addEventListener("click", () => $("detail").close());
}

startFrontier();
startTables();
startDetail();
dark.addEventListener("change", () => {
  drawFrontier();
  if ($("detail").open) drawDetail();
});
document.documentElement.dataset.ready = "yes";
