"use strict";
// The plot of any two figures, with what no other file beats in both.

const MARKERS = ["circle", "square", "diamond", "triangle-up", "cross", "star", "hexagon"];
const models = distinct(data.rows.map((row) => row.model));
const places = new Map(data.rows.map((row, place) => [row, place]));
const beats = (metric, one, other) => (metrics[metric].better === "lower" ? one < other : one > other);

function frontier(rows, x, y) {
  const beaten = (row) =>
    rows.some(
      (other) =>
        !beats(x, row[x], other[x]) && !beats(y, row[y], other[y]) && (other[x] !== row[x] || other[y] !== row[y]),
    );
  return rows.filter((row) => !beaten(row)).sort((one, other) => one[x] - other[x]);
}

// Where a value is on its axis.
const placed = (key) => (row) => (isAccuracy(key) ? error(row[key]) : row[key]);

function bars(rows, key, colour) {
  const interval = (row) => row[key + "_interval"];
  if (!rows.some((row) => interval(row)?.length)) return undefined;
  const reach = (end) => rows.map((row) => (interval(row)?.length ? Math.abs(row[key] - interval(row)[end]) : 0));
  const [below, above] = isAccuracy(key) ? [1, 0] : [0, 1]; // the axis is one of errors
  return {
    type: "data",
    symmetric: false,
    array: reach(above),
    arrayminus: reach(below),
    thickness: 1,
    width: 3,
    color: colour,
  };
}

function described(row, shown) {
  const lines = shown
    .filter(({ key }) => has(row, key))
    .map(({ key, label, unit }) => {
      const ends = row[key + "_interval"];
      return (
        `${plain(label)}: ${number(row[key])}` +
        (unit && ` ${plain(unit)}`) +
        (ends?.length ? ` (${number(ends[0])} to ${number(ends[1])})` : "")
      );
    });
  return [`<b>${plain(row.experiment)}</b> ${plain(row.variant)}`, ...lines].join("<br>");
}

// A Keras model is no file that could be shipped: it is shown where it is chosen.
const isFile = (row) => data.details[fileName(row)].execution !== null;

function drawFrontier() {
  const [x, y, variant, only] = ["x", "y", "variant", "model"].map((id) => $(id).value);
  const rows = data.rows.filter(
    (row) =>
      (variant === "" ? isFile(row) : row.variant === variant) &&
      (only === "" || row.model === only) &&
      has(row, x) &&
      has(row, y),
  );
  const best = frontier(rows, x, y);
  const shown = data.metrics.filter(({ key, of }) => !of || key === x || key === y);
  const onFrontier = new Set(best);
  const colours = theme();
  const traces = [
    {
      x: best.map(placed(x)),
      y: best.map(placed(y)),
      mode: "lines",
      name: "frontier",
      hoverinfo: "skip",
      line: { color: colours.quiet, width: 1.5, shape: metrics[x].better === "lower" ? "hv" : "vh" },
    },
  ];
  models.forEach((model, place) => {
    const colour = colours.series[place % colours.series.length];
    const symbol = MARKERS[place % MARKERS.length];
    for (const on of [false, true]) {
      const part = rows.filter((row) => row.model === model && onFrontier.has(row) === on);
      if (!part.length) continue;
      traces.push({
        x: part.map(placed(x)),
        y: part.map(placed(y)),
        mode: "markers",
        name: plain(model),
        legendgroup: String(place),
        showlegend: on || !best.some((row) => row.model === model),
        marker: {
          color: colour,
          symbol: on ? symbol : symbol + "-open",
          size: on ? 13 : 9,
          line: { width: on ? 1 : 1.5, color: on ? colours.text : colour },
        },
        opacity: on ? 1 : 0.75,
        ...(on && { error_x: bars(part, x, colour), error_y: bars(part, y, colour) }),
        text: part.map((row) => described(row, shown)),
        hovertemplate: "%{text}<extra></extra>",
        customdata: part.map((row) => places.get(row)),
      });
    }
  });
  const scale = (key) =>
    (isAccuracy(key) && rows.length ? accuracyAxis : axis)(
      plain(labelled(metrics[key])),
      rows.map((row) => row[key]),
    );
  draw($("plot"), traces, { xaxis: scale(x), yaxis: scale(y), annotations: [] }).then(() =>
    labelFrontier(best, rows, x, y),
  );
  listFrontier(best, x, y);
}

const fileLabel = (row) =>
  (models.length > 1 && $("model").value === "" ? `${row.model} ` : "") + `${row.recipe} ${row.variant}`;

// Labels of the points on the frontier, each at the first place beside its point that is free of labels and points; if
// there is none, of labels and points of the frontier.
function labelFrontier(best, rows, x, y) {
  const {
    xaxis,
    yaxis,
    _size: { w: width, h: height },
  } = $("plot")._fullLayout;
  const at = (row) => [xaxis.d2p(placed(x)(row)), yaxis.d2p(placed(y)(row))];
  const around = (reach) => (row) => [at(row)[0] - reach, at(row)[1] - reach, at(row)[0] + reach, at(row)[1] + reach];
  const taken = best.map(around(7));
  const points = rows.map(around(4));
  const covers = (one, other) => one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3];
  const inside = ([left, top, right, bottom]) => left >= 0 && right <= width && top >= 0 && bottom <= height;
  const colours = theme();
  const annotations = [];
  for (const row of best) {
    const text = shortened(fileLabel(row));
    const half = 3.4 * text.length; // of the text's width, in pixels, at this size
    const ways = [20, 38, 56, 76, 98, 122].flatMap((far) =>
      [-far, far].flatMap((down) => [-half - 8, half + 8, 0].map((over) => [over, down])),
    );
    const box = ([over, down]) => {
      const [middle, centre] = [at(row)[0] + over, at(row)[1] + down];
      return [middle - half, centre - 9, middle + half, centre + 9];
    };
    const free = (others) => (one) => inside(box(one)) && !others.some((other) => covers(box(one), other));
    const way = ways.find(free([...taken, ...points])) ?? ways.find(free(taken));
    if (!way) continue; // the list below the plot has it
    taken.push(box(way));
    const log = (name) => (name.type === "log" ? Math.log10 : (value) => value);
    annotations.push({
      x: log(xaxis)(placed(x)(row)),
      y: log(yaxis)(placed(y)(row)),
      text: plain(text),
      ax: way[0],
      ay: way[1],
      showarrow: true,
      arrowhead: 0,
      arrowwidth: 0.7,
      arrowcolor: colours.quiet,
      standoff: 7,
      font: { size: 11, color: colours.text },
      captureevents: false,
    });
  }
  return Plotly.relayout($("plot"), { annotations });
}

function listFrontier(best, x, y) {
  const cell = (row, key) => figure(number(row[key]));
  $("frontier-list").replaceChildren(
    smallTable(
      ["experiment", "variant", labelled(metrics[x]), labelled(metrics[y])],
      best.map((row) => {
        const name = element("td", "", { class: "name" });
        name.append(opener(row, row.experiment));
        return [name, row.variant, cell(row, x), cell(row, y)];
      }),
    ),
  );
}

function startFrontier() {
  metricOptions($("x"), "median_us");
  metricOptions($("y"), "accuracy");
  options(
    $("variant"),
    allOr(
      data.rows.map((row) => row.variant),
      "all .tflite",
    ),
    "",
  );
  options($("model"), allOr(models), "");
  for (const id of ["x", "y", "variant", "model"]) $(id).addEventListener("change", drawFrontier);
  drawFrontier();
  $("plot").on("plotly_click", ({ points }) => {
    const row = data.rows[points[0].customdata];
    if (row) show(row.experiment, row.variant);
  });
}
