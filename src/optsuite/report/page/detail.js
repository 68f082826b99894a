"use strict";
// ---- one experiment

let shown = null;

function show(experiment, variant) {
  const rows = data.rows.filter((row) => row.experiment === experiment);
  if (!rows.length) return;
  const row = rows.find((one) => one.variant === variant) ?? rows[0];
  shown = row;
  options(
    $("detail-variant"),
    rows.map((one) => [one.variant, one.variant]),
    row.variant,
  );
  if (!$("detail").open) $("detail").showModal();
  drawDetail();
}

function drawDetail() {
  const row = shown;
  const known = data.experiments[row.experiment];
  const rows = data.rows.filter((one) => one.experiment === row.experiment);
  const detail = (one) => data.details[fileName(one)];
  $("detail-title").textContent = row.experiment;
  $("detail-about").textContent =
    `model ${row.model}, recipe ${row.recipe}, seed ${row.seed}; ` +
    `${row.parameters.toLocaleString("en")} parameters, ${row.macs.toLocaleString("en")} MACs; ` +
    (known.is_baseline
      ? "what its other recipes are judged against"
      : `may lose ${known.budget} against ${known.baseline ?? "a baseline, which was not run"}`);
  for (const place of document.querySelectorAll(".of-variant")) place.textContent = `of ${row.variant}`;
  drawVariants(rows, detail);
  drawStages(known.stages);
  drawLayers(detail(row).layers);
  drawConfusion(detail(row).wrong);
  drawNewlyWrong(detail(row), known.baseline);
}

function drawVariants(rows, detail) {
  const chosen = shownColumns();
  const heads = [
    "variant",
    ...chosen.map(({ label }) => label),
    "95 % interval of the accuracy",
    "load, ms",
    "first, ms",
    "heap, bytes",
    "kernels",
  ];
  $("detail-variants").replaceChildren(
    smallTable(
      heads,
      rows.map((row) => {
        const ran = detail(row).execution;
        return [
          row.variant,
          ...chosen.map((column) => column.cell(row)),
          ...[
            row.accuracy_interval.map((end) => fixed(end, 4)).join(" to "),
            ran?.load_ms.toFixed(2),
            ran?.first_ms.toFixed(3),
            ran?.heap_bytes?.toLocaleString("en"),
          ].map(figure),
          ran?.delegate,
        ];
      }),
    ),
  );
  const { series } = theme();
  const traces = rows
    .filter((row) => detail(row).quantiles_us.length)
    .map((row, place) => {
      const times = detail(row).quantiles_us;
      return {
        x: times,
        y: times.map((_, place) => place / (times.length - 1)),
        name: plain(row.variant),
        mode: "lines",
        line: { dash: ["solid", "dash", "dot"][Math.floor(place / series.length) % 3] },
        hovertemplate: "%{y:.1%} of calls within %{x:.2f} µs<extra>" + plain(row.variant) + "</extra>",
      };
    });
  draw($("times"), traces, {
    xaxis: axis(
      "one call, µs",
      traces.flatMap((trace) => trace.x),
    ),
    yaxis: axis("share of calls", [0, 1], { range: [0, 1.02] }),
  });
}

// "80 % zeros: conv2d, dense": the layers of each invariant.
function invariants(stage) {
  const entries = Object.entries(stage.invariants);
  const kinds = [...new Set(entries.map(([, invariant]) => invariant))];
  return kinds
    .map(
      (kind) =>
        `${kind}: ${entries
          .filter(([, invariant]) => invariant === kind)
          .map(([layer]) => layer)
          .join(", ")}`,
    )
    .join("; ");
}

function drawStages(stages) {
  $("detail-stages").replaceChildren(
    smallTable(
      ["stage", "epochs", "batch", "invariants", "preserves"],
      stages.map((stage) => [
        stage.stage,
        figure(stage.epochs),
        figure(stage.batch),
        invariants(stage),
        stage.preserve.join(", "),
      ]),
    ),
  );
  const errors = (key) => stages.flatMap((stage) => stage[key].map((accuracy) => 100 * (1 - accuracy)));
  const traces = [
    ["training", "accuracy"],
    ["validation", "val_accuracy"],
  ].map(([name, key]) => ({
    name,
    y: errors(key),
    x: errors(key).map((_, place) => place + 1),
    mode: "lines+markers",
    hovertemplate: `epoch %{x}: %{y:.2f} %<extra>${name}</extra>`,
  }));
  const starts = stages.map((_, place) => stages.slice(0, place).reduce((sum, stage) => sum + stage.epochs, 0) + 0.5);
  const colours = theme();
  draw($("curve"), traces, {
    xaxis: axis("epoch, over all stages", [0]),
    yaxis: axis(
      "error, %",
      traces.flatMap((trace) => trace.y),
    ),
    shapes: starts.slice(1).map((x) => ({
      type: "line",
      x0: x,
      x1: x,
      yref: "paper",
      y0: 0,
      y1: 1,
      line: { color: colours.quiet, width: 1, dash: "dot" },
    })),
    annotations: stages.map((stage, place) => ({
      x: starts[place],
      y: 1,
      yref: "paper",
      text: plain(stage.stage),
      textangle: -90,
      showarrow: false,
      xanchor: "left",
      xshift: 4,
      yanchor: "top",
      font: { color: colours.quiet, size: 11 },
    })),
  });
}

function drawLayers(layers) {
  $("detail-layers").replaceChildren(
    smallTable(
      ["layer", "weights", "zeros", "values", "in force", ""],
      layers.map((layer) => [
        layer.name,
        figure(layer.size.toLocaleString("en")),
        figure((100 * layer.zeros).toFixed(1) + " %"),
        figure(layer.values),
        layer.in_force || null,
        layer.faults.length
          ? element("td", layer.faults.join("; "), { class: "fault" })
          : element("td", layer.in_force ? "holds" : "", { class: "holds" }),
      ]),
    ),
  );
  for (const old of $("weights").querySelectorAll(".histogram")) Plotly.purge(old);
  $("weights").replaceChildren(...layers.map((layer) => element("div", "", { class: "histogram" })));
  layers.forEach((layer, place) => {
    const width = (layer.high - layer.low) / layer.histogram.length;
    draw(
      $("weights").children[place],
      [
        {
          type: "bar",
          y: layer.histogram,
          x: layer.histogram.map((_, bin) => layer.low + (bin + 0.5) * width),
          width,
          hovertemplate: "%{y} weights near %{x:.3g}<extra></extra>",
        },
      ],
      {
        title: { text: plain(layer.name), font: { size: 12 } },
        margin: { l: 44, r: 8, t: 32, b: 28 },
        bargap: 0,
        showlegend: false,
        xaxis: axis("", [0]),
        yaxis: axis("", [1, Math.max(6, ...layer.histogram)]),
      },
    );
  });
}

function startDetail() {
  $("detail-variant").addEventListener("change", () => show(shown.experiment, $("detail-variant").value));
  $("close").addEventListener("click", () => $("detail").close());
}

startDetail();
