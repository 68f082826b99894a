"use strict";
// Tables of many lines: filtered, sorted, and shown page by page. Only the lines of the page are in the document.

const LINES = 20; // of a page
const tables = [];

// Make a table in the element `place`.
//
// columns: each has a key, a label and, for a line, a value to sort by and a cell; a definition is shown beside its
//   header, and numbers come largest first.
// text: what else of a line is searched. words: whether lines can be searched.
// filters: [name, line -> value], each a select. sorted: { key, descending }.
// attributes: those of a line's row.
function linesTable(
  place,
  { columns, lines, text = () => "", words = true, filters = [], sorted = null, attributes = () => ({}) },
) {
  const state = { columns, sorted, from: 0, size: LINES };
  const label = place.dataset.label;
  const { controls, found, forget } = filterControls({ lines, text, words, filters, state }, () => turn(0));
  const table = element("table", "", { "aria-label": label });
  const region = { class: "scroll", tabindex: "0", role: "region", "aria-label": `${label}, table` };
  const scroll = element("div", "", region);
  scroll.append(table);
  const pages = element("nav", "", { class: "pages", "aria-label": `Pages of ${label}` });
  place.replaceChildren(controls, scroll, pages);

  function sort(column) {
    const again = state.sorted?.key === column.key;
    state.sorted = { key: column.key, descending: again ? !state.sorted.descending : Boolean(column.number) };
    turn(0);
    table.tHead.rows[0].cells[state.columns.indexOf(column)].querySelector("button").focus();
  }

  function turn(from) {
    const some = inOrder(found(), state);
    state.from = from;
    table.replaceChildren();
    table.createTHead().append(headOf(state, sort));
    table.createTBody().append(
      ...some.slice(from, from + state.size).map((line) => {
        const row = element("tr", "", attributes(line));
        row.append(...state.columns.map((column) => column.cell(line)));
        return row;
      }),
    );
    drawPages(pages, state, some.length, turn);
  }

  function setColumns(chosen) {
    state.columns = chosen;
    forget();
    turn(0);
  }

  function printed(on) {
    state.size = on ? Infinity : LINES;
    turn(0);
  }

  turn(0);
  tables.push({ printed });
  return { controls, setColumns };
}

// What chooses lines: a search for words, and a select for each filter. `found` returns the lines; `forget` has to be
// called when the columns change.
function filterControls({ lines, text, words, filters, state }, changed) {
  const search = element("input", "", { type: "search", placeholder: "words, all of which a line must have" });
  const selects = filters.map(([name, of]) => {
    const select = element("select");
    options(select, allOr(lines.map(of).filter(Boolean)), "");
    return { name, of, select };
  });
  const named = (name, control) => {
    const made = element("label", name + " ");
    made.append(control);
    return made;
  };
  const count = element("output");
  const controls = element("div", "", { class: "filters" });
  controls.append(...(words ? [named("Filter", search)] : []), ...selects.map((one) => named(one.name, one.select)));
  controls.append(count);
  for (const control of [search, ...selects.map(({ select }) => select)]) {
    for (const event of ["input", "change"]) control.addEventListener(event, changed); // some browsers send one of them
  }

  const texts = new Map(); // of the lines that were searched
  function textOf(line) {
    if (!texts.has(line)) {
      const cells = state.columns.map((column) => column.cell(line).textContent);
      texts.set(line, [text(line), ...cells].join(" ").toLowerCase());
    }
    return texts.get(line);
  }

  function found() {
    const parts = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = selects.filter(({ select }) => select.value !== "");
    const some = lines.filter(
      (line) =>
        chosen.every(({ of, select }) => of(line) === select.value) &&
        parts.every((part) => textOf(line).includes(part)),
    );
    count.textContent = `${some.length} of ${lines.length} lines`;
    return some;
  }

  return { controls, found, forget: () => texts.clear() };
}

function inOrder(lines, { columns, sorted }) {
  const column = columns.find((one) => one.key === sorted?.key);
  if (!column) return lines;
  const sign = sorted.descending ? -1 : 1;
  const missing = (value) => value === null || value === undefined;
  return [...lines].sort((line, other) => {
    const [one, two] = [column.value(line), column.value(other)];
    if (missing(one) || missing(two)) return missing(one) - missing(two); // what is missing is last both ways
    return sign * (typeof one === "number" ? one - two : one.localeCompare(two, "en", { numeric: true }));
  });
}

function headOf({ columns, sorted }, sort) {
  const row = element("tr");
  for (const column of columns) {
    const direction = sorted?.key === column.key ? (sorted.descending ? "descending" : "ascending") : "none";
    const attributes = { scope: "col", class: column.number ? "number" : "", "aria-sort": direction };
    const cell = element("th", "", attributes);
    const button = element("button", column.label);
    button.addEventListener("click", () => sort(column));
    cell.append(button, ...(column.definition ? [defined(button, column.definition)] : []));
    row.append(cell);
  }
  return row;
}

function drawPages(pages, { from, size }, count, turn) {
  const go = (name, to, possible) => {
    const button = element("button", name, possible ? {} : { disabled: "" });
    button.addEventListener("click", () => {
      turn(to);
      [...pages.querySelectorAll("button")].find((one) => one.textContent === name && !one.disabled)?.focus();
    });
    return button;
  };
  const last = Math.min(from + size, count);
  const shown = [
    go("Previous", Math.max(0, from - size), from > 0),
    element("span", `lines ${from + 1} to ${last} of ${count}`),
    go("Next", from + size, last < count),
  ];
  pages.replaceChildren(...(count > size ? shown : []));
}

// ---- definitions, beside what has the focus or the pointer

let definitions = 0;
let explained = null; // the button whose definition is shown

function placeDefinition() {
  if (!explained) return;
  const [box, tip] = [explained.getBoundingClientRect(), $("definition").getBoundingClientRect()];
  $("definition").style.left = `${Math.max(8, Math.min(box.left, innerWidth - tip.width - 8))}px`;
  $("definition").style.top = `${box.top > tip.height + 8 ? box.top - tip.height - 8 : box.bottom + 8}px`;
}

// Show a definition beside its button; the element that is returned says it to screen readers.
function defined(button, definition) {
  const id = `definition-${++definitions}`;
  button.setAttribute("aria-describedby", id);
  const show = () => {
    explained = button;
    $("definition").textContent = definition;
    $("definition").showPopover();
    placeDefinition();
  };
  const hide = () => {
    explained = null;
    $("definition").hidePopover();
  };
  for (const event of ["pointerenter", "focus"]) button.addEventListener(event, show);
  for (const event of ["pointerleave", "blur"]) button.addEventListener(event, hide);
  button.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  return element("span", definition, { id, hidden: "" });
}

addEventListener("scroll", placeDefinition, { passive: true, capture: true });

// A column of names, the first of which opens the experiment.
function nameColumn(key, label, open = false) {
  const cell = (line) => {
    const made = element("td", open ? "" : (line[key] ?? "—"), { class: "name" });
    if (open)
      made.append(data.experiments[line.experiment] && line.variant ? opener(line, line[key]) : (line[key] ?? "—"));
    return made;
  };
  return { key, label, value: (line) => line[key], cell };
}

const noteColumn = {
  key: "note",
  label: "note",
  value: (line) => line.note,
  cell: (line) => element("td", line.note, { class: "note" }),
};
