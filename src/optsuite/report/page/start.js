"use strict";
// What concerns the whole page: opening experiments, the theme and printing.

document.addEventListener("click", (event) => {
  const target = event.target.closest("button.open, tr[data-experiment]");
  if (target) show(target.dataset.experiment, target.dataset.variant);
});

function redraw() {
  if (!globalThis.Plotly) return;
  drawFrontier();
  if ($("detail").open) drawDetail();
}

dark.addEventListener("change", redraw);

// On paper there is no second page of a table to go to, and the ground is white.
for (const [event, on] of [
  ["beforeprint", true],
  ["afterprint", false],
]) {
  addEventListener(event, () => {
    document.documentElement.classList.toggle("printed", on);
    for (const table of tables) table.printed(on);
    redraw();
  });
}

// Plotly is large, and a browser takes a second to read it for the first time: meanwhile all else is there.
requestAnimationFrame(() =>
  setTimeout(() => {
    document.head.append(element("script", $("plotly").textContent));
    startFrontier();
    if ($("detail").open) drawDetail();
    document.documentElement.dataset.ready = "yes";
  }),
);
