"use strict";
// Tables of many lines: filtered, sorted, and shown page by page. Only the lines of the page are in the document.

const LINES = 20; // of a page
const tables = [];

// Make a table in the element `place`. A column has a label, and for a line a value to sort by and a cell; its
// definition is shown beside its header. Filters are [name, line -> value]; `words` is whether lines can be searched.
function linesTable(
  place,
  { columns, lines, text = () => "", words = true, filters = [], sorted = null, attributes = () => ({}) },
) {
  const state = { columns, sorted, from: 0, size: LINES };
  const label = place.dataset.label;
  const search = element("input", "", { type: "search", placeholder: "words, all of which a line must have" });
  const selects = filters.map(([name, of]) => {
    const select = element("select");
    options(
      select,
      [
        ["", "all"],
        ...distinct(lines.map(of))
          .filter(Boolean)
          .map((one) => [one, shortened(one)]),
      ],
      "",
    );
    return { name, of, select };
  });
  const count = element("output");
  const controls = element("div", "", { class: "filters" });
  const named = (name, control) => {
    const made = element("label", name + " ");
    made.append(control);
    return made;
  };
  controls.append(
    ...(words ? [named("Filter", search)] : []),
    ...selects.map(({ name, select }) => named(name, select)),
    count,
  );
  const table = element("table", "", { "aria-label": label });
  const scroll = element("div", "", {
    class: "scroll",
    tabindex: "0",
    role: "region",
    "aria-label": `${label}, table`,
  });
  scroll.append(table);
  const pages = element("nav", "", { class: "pages", "aria-label": `Pages of ${label}` });
  place.replaceChildren(controls, scroll, pages);

  let texts = new Map(); // of the lines that were searched
  function textOf(line) {
    if (!texts.has(line))
      texts.set(
        line,
        [text(line), ...state.columns.map((column) => column.cell(line).textContent)].join(" ").toLowerCase(),
      );
    return texts.get(line);
  }

  function found() {
    const parts = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    return lines.filter(
      (line) =>
        parts.every((part) => textOf(line).includes(part)) &&
        selects.every(({ of, select }) => select.value === "" || of(line) === select.value),
    );
  }

  function inOrder(some) {
    const column = state.columns.find((one) => one.key === state.sorted?.key);
    if (!column) return some;
    const sign = state.sorted.descending ? -1 : 1;
    const missing = (value) => value === null || value === undefined;
    return [...some].sort((line, other) => {
      const [one, two] = [column.value(line), column.value(other)];
      if (missing(one) || missing(two)) return missing(one) - missing(two); // what is missing is last both ways
      return sign * (typeof one === "number" ? one - two : one.localeCompare(two, "en", { numeric: true }));
    });
  }

  function head() {
    const row = element("tr");
    row.append(
      ...state.columns.map((column) => {
        const on = state.sorted?.key === column.key;
        const cell = element("th", "", {
          scope: "col",
          class: column.number ? "number" : "",
          "aria-sort": on ? (state.sorted.descending ? "descending" : "ascending") : "none",
        });
        const button = element("button", column.label);
        button.addEventListener("click", () => {
          // Figures come largest first, names in their order; a second click turns that round.
          state.sorted = { key: column.key, descending: on ? !state.sorted.descending : Boolean(column.number) };
          state.from = 0;
          render();
          table.tHead.rows[0].cells[state.columns.indexOf(column)].querySelector("button").focus();
        });
        cell.append(button, ...(column.definition ? [defined(button, column.definition)] : []));
        return cell;
      }),
    );
    return row;
  }

  function render() {
    const some = inOrder(found());
    if (state.from >= some.length) state.from = 0;
    const page = some.slice(state.from, state.from + state.size);
    table.replaceChildren();
    table.createTHead().append(head());
    table.createTBody().append(
      ...page.map((line) => {
        const row = element("tr", "", attributes(line));
        row.append(...state.columns.map((column) => column.cell(line)));
        return row;
      }),
    );
    count.textContent = `${some.length} of ${lines.length} lines`;
    const go = (name, from, possible) => {
      const button = element("button", name, possible ? {} : { disabled: "" });
      button.addEventListener("click", () => {
        state.from = from;
        render();
        [...pages.querySelectorAll("button")].find((one) => !one.disabled)?.focus();
      });
      return button;
    };
    const last = Math.min(state.from + state.size, some.length);
    pages.replaceChildren(
      ...(some.length > state.size
        ? [
            go("Previous", Math.max(0, state.from - state.size), state.from > 0),
            element("span", `lines ${state.from + 1} to ${last} of ${some.length}`),
            go("Next", state.from + state.size, last < some.length),
          ]
        : []),
    );
  }

  function setColumns(chosen) {
    state.columns = chosen;
    texts = new Map();
    render();
  }

  for (const control of [search, ...selects.map(({ select }) => select)]) {
    for (const event of ["input", "change"]) {
      // not every browser sends both for a select
      control.addEventListener(event, () => {
        state.from = 0;
        render();
      });
    }
  }
  setColumns(columns);
  const made = {
    controls,
    setColumns,
    printed: (on) => {
      state.size = on ? Infinity : LINES;
      state.from = 0;
      render();
    },
  };
  tables.push(made);
  return made;
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
