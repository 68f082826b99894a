"use strict";
// Two or three experiments side by side: every figure, and how it relates to that of the first.

const SIDES = ["side-1", "side-2", "side-3"];

function drawSides() {
  const variant = $("side-variant").value;
  const chosen = SIDES.map((id) => $(id).value).filter(Boolean);
  const rows = chosen.map((name) => data.rows.find((row) => row.experiment === name && row.variant === variant));
  const target = $("side-target").value;
  const columns = data.columns.filter(
    ({ key, group }) => (!targets.includes(group) || group === target) && rows.some((row) => row && has(row, key)),
  );
  const lines = columns.map(({ key, label, group, decimals }) => {
    const values = rows.map((row) => row?.[key] ?? null);
    const fraction = ["accuracy", "drop", "sparsity"].includes(key);
    const better = metrics[key]?.better;
    const known = values.filter((value) => value !== null);
    const best =
      better && new Set(known).size > 1 ? (better === "lower" ? Math.min(...known) : Math.max(...known)) : null;
    return [
      element("th", targets.includes(group) ? `${label}, ${group}` : label, { scope: "row" }),
      ...values.map((value, place) => {
        if (value === null) return figure(null);
        const cell = figure(decimals === null ? number(value) : fixed(value, decimals));
        if (value === best)
          cell.replaceChildren(element("strong", cell.textContent), element("span", " best", { class: "quiet" }));
        if (place && values[0] && !fraction)
          cell.append(element("span", ` ${fixed((100 * value) / values[0], 0)} %`, { class: "quiet" }));
        return cell;
      }),
    ];
  });
  $("sides").replaceChildren(smallTable(["", ...chosen], lines));
}

function startSides() {
  const names = distinct(data.rows.map((row) => row.experiment));
  const variants = distinct(data.rows.map((row) => row.variant));
  const picked = distinct([...document.querySelectorAll("#picks .open")].map((button) => button.dataset.experiment));
  const first = distinct([...picked, ...names]);
  SIDES.forEach((id, place) => {
    options(
      $(id),
      [...(place ? [["", "none"]] : []), ...names.map((name) => [name, shortened(name)])],
      first[place] ?? "",
    );
    $(id).addEventListener("change", drawSides);
  });
  options(
    $("side-variant"),
    variants.map((name) => [name, name]),
    variants.includes("int8") ? "int8" : variants[0],
  );
  options(
    $("side-target"),
    targets.map((name) => [name, name]),
    data.recipes.ratios.map(({ where }) => where).findLast((where) => targets.includes(where)) ?? targets[0],
  );
  for (const id of ["side-variant", "side-target"]) $(id).addEventListener("change", drawSides);
  drawSides();
}

if (data.rows.length) startSides();
