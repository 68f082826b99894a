"use strict";
// What every part of the page uses. Names may hold anything: they come into the page as text nodes, and to Plotly,
// which reads markup, through `plain`.

const data = JSON.parse(document.getElementById("data").textContent);
const metrics = Object.fromEntries(data.metrics.map((metric) => [metric.key, metric]));
const $ = (id) => document.getElementById(id);
const shortened = (name) => (name.length > 48 ? name.slice(0, 47) + "…" : name);
const plain = (name) => shortened(name).replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const distinct = (values) => [...new Set(values)];
const targets = distinct(data.metrics.map(({ of }) => of)).filter(Boolean);
const has = (row, key) => row[key] !== null && row[key] !== undefined; // files have figures of some targets only
// To make a format takes far longer than to use it.
const whole = new Intl.NumberFormat("en");
const digits = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const decimal = [0, 1, 2, 3, 4].map(
  (places) => new Intl.NumberFormat("en", { minimumFractionDigits: places, maximumFractionDigits: places }),
);
const number = (value) => (Number.isInteger(value) ? whole : digits).format(value);
const fixed = (value, places) => decimal[places].format(value);
const fileName = ({ experiment, variant }) => `${experiment} ${variant}`;
const labelled = ({ label, unit }) => label + (unit ? `, ${unit}` : "");

function element(tag, text = "", attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function options(select, names, chosen) {
  select.replaceChildren(...names.map(([value, text]) => element("option", text, { value })));
  select.value = chosen;
}

// Names as the options of a select, after one that stands for all of them.
const allOr = (names, every = "all") => [["", every], ...distinct(names).map((name) => [name, shortened(name)])];

// Metrics as the options of a select: those of every row, then a group for each target.
function metricOptions(select, chosen) {
  const groups = distinct(data.metrics.map((metric) => metric.of));
  select.replaceChildren(
    ...groups.flatMap((of) => {
      const made = data.metrics
        .filter((metric) => metric.of === of)
        .map((metric) => element("option", metric.label, { value: metric.key }));
      if (of === "") return made;
      const group = element("optgroup", "", { label: of });
      group.append(...made);
      return [group];
    }),
  );
  select.value = chosen;
}

// A button that opens the view of an experiment.
const opener = (row, text) =>
  element("button", text, { class: "open", "data-experiment": row.experiment, "data-variant": row.variant });

function smallTable(heads, lines) {
  const made = element("table");
  const numbers = heads.map((_, place) => lines.some((line) => line[place]?.className === "number"));
  made
    .createTHead()
    .insertRow()
    .append(
      ...heads.map(
        (
          name,
          place, // a header of nothing would have no name
        ) => (name ? element("th", name, { scope: "col", class: numbers[place] ? "number" : "" }) : element("td")),
      ),
    );
  const body = made.createTBody();
  for (const line of lines) {
    body.insertRow().append(...line.map((cell) => (cell instanceof Node ? cell : element("td", cell ?? "—"))));
  }
  return made;
}

const figure = (text) => element("td", text ?? "—", { class: "number" });
