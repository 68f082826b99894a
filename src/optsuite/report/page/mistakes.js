"use strict";
// What a file answers wrong: the confusion matrix, and the images that its baseline answers right.

const MOST_CLASSES = 50;

function confusion(wrong) {
  const mistakes = new Map();
  for (const label of data.labels) mistakes.set(label, 0);
  for (const [label, given, count] of wrong)
    for (const one of [label, given]) mistakes.set(one, (mistakes.get(one) ?? 0) + count);
  const worst = [...mistakes.keys()]
    .sort((one, other) => mistakes.get(other) - mistakes.get(one))
    .slice(0, MOST_CLASSES);
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
  draw(
    $("confusion"),
    [
      {
        type: "heatmap",
        x: names,
        y: names,
        z: counts.map((line) => line.map((count) => Math.log1p(count))),
        customdata: counts,
        text: counts.length > 20 ? undefined : counts,
        texttemplate: "%{text}",
        showscale: false,
        xgap: 1,
        ygap: 1,
        colorscale: [
          [0, colours.ground],
          [1, colours.accent],
        ],
        hovertemplate: "label %{y}, answered %{x}: %{customdata}<extra></extra>",
      },
    ],
    {
      xaxis: axis("answered", [0], { type: "category" }),
      yaxis: axis("label", [0], { type: "category", autorange: "reversed" }),
    },
  );
}

let sheet = null;

function drawNewlyWrong({ newly_wrong: count, shown: some }, baseline) {
  const { images } = data;
  const which = baseline ? `${count} inputs of the test set` : "No baseline was run";
  $("newly-wrong-about").textContent =
    which +
    (count > some.length ? `; the first ${some.length} of them` : "") +
    (count && !images ? "; their numbers, as there are no pictures of them here" : "");
  if (images && sheet === null) {
    const bytes = Uint8Array.from(atob(images.png), (character) => character.charCodeAt(0));
    sheet = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
  }
  const zoom = images ? Math.max(1, Math.round(64 / images.width)) : 1;
  $("newly-wrong").replaceChildren(
    ...some.map(([index, given]) => {
      const place = images?.places[index];
      const made = element("figure", "", { title: `input ${index}` });
      if (place !== undefined) {
        const picture = element("i");
        const [left, top] = [place % images.columns, Math.floor(place / images.columns)];
        Object.assign(picture.style, {
          width: `${zoom * images.width}px`,
          height: `${zoom * images.height}px`,
          backgroundImage: `url(${sheet})`,
          backgroundSize: `${zoom * images.sheet[0]}px ${zoom * images.sheet[1]}px`,
          backgroundPosition: `${-zoom * images.width * left}px ${-zoom * images.height * top}px`,
        });
        made.append(picture);
      } else made.append(`input ${index}: `);
      made.append(`${data.labels[index]}, not ${given}`);
      return made;
    }),
  );
}
