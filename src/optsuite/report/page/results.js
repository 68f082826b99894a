"use strict";
// The table of results: a line for each row, and for what is absent. One group of columns is shown beside the accuracy
// and the size.

function resultColumn({ key, label, definition, decimals }) {
  const cell = (row) => {
    if (!has(row, key)) return figure(null);
    const value = row[key];
    const doubt = key === "median_us" && row.unstable;
    return element("td", (decimals === null ? number(value) : fixed(value, decimals)) + (doubt ? "?" : ""), {
      class: "number",
      ...(doubt && { title: "unstable: the machine was not steady" }),
    });
  };
  return { key, label, definition, number: true, value: (row) => row[key], cell };
}

// The columns of figures in the group that was chosen, and those that are always shown.
const shownColumns = () =>
  data.columns.filter(({ group }) => group === "" || group === $("columns").value).map(resultColumn);

// Notes are of the times on this machine; in the columns of a target, the note says why a file has no figures there.
function remarks(group) {
  const value = (row) => ("accuracy" in row && targets.includes(group) ? (row.unexamined[group] ?? "") : row.note);
  return { ...noteColumn, value, cell: (row) => element("td", value(row), { class: "note" }) };
}

function startResults() {
  const groups = distinct(data.columns.map(({ group }) => group)).filter(Boolean);
  options(
    $("columns"),
    groups.map((group) => [group, group]),
    groups[0],
  );
  const columns = () => [
    nameColumn("experiment", "experiment", true),
    nameColumn("variant", "variant"),
    ...shownColumns(),
    remarks($("columns").value),
  ];
  const table = linesTable($("results-lines"), {
    columns: columns(),
    lines: [...data.rows, ...data.absences],
    text: (row) => `${row.model} ${row.recipe}`,
    filters: ["model", "recipe", "variant"].map((name) => [name[0].toUpperCase() + name.slice(1), (row) => row[name]]),
    sorted: { key: "accuracy", descending: true },
    attributes: (row) =>
      "accuracy" in row ? { "data-experiment": row.experiment, "data-variant": row.variant } : { class: "absent" },
  });
  table.controls.prepend($("columns").parentElement);
  $("columns").addEventListener("change", () => table.setColumns(columns()));
}

// The tables of pipelines, as they were published.
function startPipelines() {
  Object.entries(data.pipelines).forEach(([model, { columns, lines }], place) => {
    const column = (label, at) => {
      const value = (line) => line.cells[at].value;
      const cell = (line) => {
        const named = typeof value(line) === "string";
        const made = element("td", "", { class: named ? "name" : "number" });
        made.append(at === 0 && line.experiment ? opener(line, value(line)) : line.cells[at].shown || "—");
        return made;
      };
      return { key: label, label, number: lines.some((line) => typeof value(line) === "number"), value, cell };
    };
    linesTable($(`pipelines-${place + 1}`), {
      columns: [...columns.map(column), noteColumn],
      lines,
      attributes: (line) =>
        line.experiment ? { "data-experiment": line.experiment, "data-variant": line.variant } : {},
    });
  });
}

const SMALL = 0.05; // a change of a latency that may be one of the machine

// What each recipe changes, with a bar for each ratio: the line in it is at the baseline's 100 %.
function startRecipes() {
  const { ratios, lines } = data.recipes;
  if (!lines.length) return;
  const most = Math.max(1, ...lines.flatMap((line) => line.ratios.filter((ratio) => ratio !== null)));
  const change = (line) =>
    line.change === null
      ? "—"
      : (line.change > 0 ? "+" : "") +
        (isAccuracy("accuracy") ? `${fixed(100 * line.change, 2)} points` : number(line.change));
  const columns = [
    nameColumn("recipe", "recipe"),
    ...(models.length > 1 ? [nameColumn("model", "model")] : []),
    {
      key: "change",
      label: "accuracy change",
      number: true,
      value: (line) => line.change,
      cell: (line) => figure(change(line)),
      definition: "the accuracy on the test set minus that of the baseline",
    },
    ...ratios.map(({ resource, place: where }, place) => ({
      key: `ratio ${place}`,
      label: `${resource} on ${where}`,
      number: true,
      value: (line) => line.ratios[place],
      definition: `relative to the int8 file of the same model's baseline; less than 100 % is better`,
      cell: (line) => bar(line.ratios[place], most),
    })),
  ];
  linesTable($("recipes-lines"), {
    columns,
    lines,
    words: false,
    filters: models.length > 1 ? [["Model", (line) => line.model]] : [],
  });
}

function bar(ratio, most) {
  if (ratio === null) return figure("—");
  const made = element("td", "", { class: "bar" });
  const [track, filled, mark] = ["track", ratio > 1 + SMALL ? "more" : ratio < 1 - SMALL ? "less" : "same", "mark"].map(
    (name) => element("i", "", { class: name }),
  );
  filled.style.width = `${(100 * ratio) / most}%`;
  mark.style.left = `${100 / most}%`;
  track.append(filled, mark);
  made.append(element("span", `${fixed(100 * ratio, 0)} %`), track);
  return made;
}

startRecipes();
startResults();
startPipelines();
