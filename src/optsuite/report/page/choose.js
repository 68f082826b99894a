"use strict";
// Which file to take within limits, as `optsuite recommend` chooses it: see optsuite/judge/recommend.py, whose answer
// this is to be, and the command line that gives it.

const excess = (value, most, least = 0) =>
  value > most * (1 + 1e-9) + 1e-12 ? (value - most) / Math.max(most, least, 1e-12) : 0;
const rowOf = new Map(data.rows.map((row) => [fileName(row), row]));
const candidateRow = (candidate) => rowOf.get(fileName(candidate));
const costOf = (key) => (candidate) => (key === "bytes" ? candidate.size : candidateRow(candidate)[key]);

// Candidates within the limits, best first. A limit is { value: candidate -> number, bound, least }.
function ranked(candidates, limits, preference, place) {
  const within = candidates.filter((one) =>
    limits.every(({ value, bound, least }) => excess(value(one), bound, least) === 0),
  );
  const [size, second] = place
    ? [costOf(place.size), costOf(place.second)]
    : [(one) => one.size, (one) => one.latency_s];
  const enough = Math.max(...within.map((one) => one.accuracy)) - data.choice.margins[preference] - 1e-9;
  const cost = { quality: (one) => -one.accuracy, balanced: (one) => size(one) * second(one), compact: size }[
    preference
  ];
  const keys = [
    (one) => one.accuracy < enough,
    (one) => (one.accuracy < enough ? -one.accuracy : cost(one)),
    (one) => -one.accuracy,
    size,
    second,
  ];
  const order = (one, other) => {
    for (const key of keys) if (key(one) !== key(other)) return key(one) < key(other) ? -1 : 1;
    return 0; // the order of the run
  };
  return within.sort(order);
}

// For each limit the candidate that is nearest to it, of those that exceed no other; where there is none, the one that
// exceeds its limits least. The nearest come first.
function nearest(candidates, limits) {
  const all = candidates.map((one) => {
    const excesses = limits.map(({ value, bound, least }) => excess(value(one), bound, least));
    return { one, excesses, misses: excesses.filter((by) => by > 0).length, most: Math.max(...excesses) };
  });
  const least = (some, by) => some.reduce((best, other) => (by(other) < by(best) ? other : best));
  const near = (place, { one, excesses }) => ({ place, one, by: excesses[place] });
  const found = limits.flatMap((_, place) => {
    const only = all.filter(({ misses, excesses }) => misses === 1 && excesses[place] > 0);
    return only.length
      ? [
          near(
            place,
            least(only, ({ excesses }) => excesses[place]),
          ),
        ]
      : [];
  });
  if (!found.length && all.length) {
    const best = least(all, ({ most }) => most);
    best.excesses.forEach((by, place) => by > 0 && found.push(near(place, best)));
  }
  return found.sort((one, other) => one.by - other.by);
}

// The limits that a slider can set, each with the numbers at which the answer can change, written as the command reads
// them.
function limitsOf(candidates, place) {
  const bytes = (value) => [String(Math.ceil(value)), Math.ceil(value)];
  const time = (seconds) => {
    const text = String(Number((1e6 * seconds).toPrecision(4)));
    const larger = 1e-6 * Number(text) >= seconds ? text : String(Number((1e6 * seconds * 1.0005).toPrecision(4)));
    return [`${larger}us`, 1e-6 * Number(larger)];
  };
  const fraction = (value) => [fixed(Math.floor(1e4 * value) / 1e4, 4), Math.floor(1e4 * value) / 1e4];
  const found = [{ name: "size", option: "--max-size", value: (one) => one.size, written: bytes, unit: "bytes" }];
  if (!place) found.push({ name: "latency", option: "--max-latency", value: (one) => one.latency_s, written: time });
  for (const { key, name, resource, unit } of place?.resources ?? []) {
    const option = resource === "cycles" ? `--limit ${name}=` : `--max-${resource}`;
    found.push({
      name: `${resource} on ${place.name}`,
      option,
      value: costOf(key),
      written: unit === "s" ? time : bytes,
      unit,
    });
  }
  if (!data.choice.graded) {
    found.push({
      name: "validation accuracy",
      option: "--min-accuracy",
      least: true,
      written: fraction,
      value: (one) => one.accuracy,
    });
  }
  return found.map((limit) => {
    const numbers = new Map(
      candidates
        .map(limit.value)
        .sort((one, other) => one - other)
        .map(limit.written),
    );
    return { ...limit, steps: [...numbers].map(([text, bound]) => ({ text, bound })) };
  });
}

// Sliders stand where there is no limit: the largest size, the least accuracy.
const unlimited = ({ least, steps }) => (least ? 0 : steps.length);

function inWords({ least, unit }, { text }) {
  const value = /^\d+$/.test(text) ? number(Number(text)) : text.replace("us", " µs");
  return `at ${least ? "least" : "most"} ${value}` + (unit && unit !== "s" ? ` ${unit}` : "");
}

function readLimits() {
  return [...document.querySelectorAll("#limits input")]
    .map((slider) => {
      const limit = slider.limit;
      const step = limit.steps[Number(slider.value) - (limit.least ? 1 : 0)];
      const shown = step ? inWords(limit, step) : "no limit";
      slider.setAttribute("aria-valuetext", shown);
      slider.parentElement.querySelector("output").textContent = shown;
      return { limit, step };
    })
    .filter(({ step }) => step);
}

const chosenPlace = () => data.choice.places.find(({ name }) => name === $("choice-target").value);

function candidatesShown() {
  const [model, variant] = [$("choice-model").value, $("choice-variant").value];
  const place = chosenPlace();
  return data.choice.candidates.filter(
    (one) =>
      (!model || candidateRow(one).model === model) &&
      (!variant || one.variant === variant) &&
      (!place || place.resources.every(({ key }) => has(candidateRow(one), key))),
  );
}

function drawLimits() {
  $("limits").replaceChildren(
    ...limitsOf(candidatesShown(), chosenPlace()).map((limit) => {
      const made = element("label", limit.name);
      const slider = element("input", "", { type: "range", min: 0, max: limit.steps.length, step: 1 });
      slider.value = unlimited(limit);
      slider.limit = limit;
      slider.addEventListener("input", drawChoice);
      made.append(slider, element("output"));
      return made;
    }),
  );
  drawChoice();
}

function command(limits) {
  const quoted = (text) => (/^[\w.,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  const given = [
    ["--target", $("choice-target").value],
    ["--models", $("choice-model").value],
    ["--variants", $("choice-variant").value],
  ]
    .filter(([, value]) => value)
    .map(([option, value]) => `${option} ${quoted(value)}`);
  const limited = limits.map(
    ({ limit: { option }, step: { text } }) => option + (option.endsWith("=") ? "" : " ") + text,
  );
  return ["optsuite recommend run.json", `--prefer ${$("preference").value}`, ...given, ...limited].join(" ");
}

// A table of candidates, with what is limited; `first` is what the first column says of each.
function candidatesTable(candidates, place, name, first) {
  const keys = place ? place.resources.map(({ key }) => key) : ["median_us"];
  const heads = [name, "experiment", "variant", "validation", "test", "size, bytes"];
  return smallTable(
    [...heads, ...keys.map((key) => labelled(metrics[key]))],
    candidates.map((one, rank) => {
      const row = candidateRow(one);
      const file = element("td", "", { class: "name" });
      file.append(opener(one, one.experiment));
      const figures = [fixed(one.accuracy, 4), fixed(row.accuracy, 4), number(one.size)];
      return [first(rank), file, one.variant, ...[...figures, ...keys.map((key) => number(row[key]))].map(figure)];
    }),
  );
}

function drawChoice() {
  const preference = $("preference").value;
  const [candidates, place, limits] = [candidatesShown(), chosenPlace(), readLimits()];
  // An accuracy is limited by its error, as one of 1 allows none.
  const checks = limits.map(({ limit, step }) =>
    limit.least
      ? { value: (one) => 1 - limit.value(one), bound: 1 - step.bound, least: data.choice.one_image }
      : { value: limit.value, bound: step.bound },
  );
  const best = ranked(candidates, checks, preference, place);
  $("choice-rule").textContent = `${preference}: ${data.choice.rules[preference]}.`;
  $("choice-command").textContent = command(limits);
  $("choice-answer").textContent = best.length
    ? `Take ${fileName(best[0])}.`
    : candidates.length
      ? "No file is within the limits. These are the nearest:"
      : `None of these files runs on ${place.name}.`;
  $("choice-count").textContent = `${best.length} of ${candidates.length} files are within the limits.`;
  if (best.length) {
    $("choice-table").replaceChildren(candidatesTable(best.slice(0, 5), place, "rank", (rank) => figure(rank + 1)));
  } else {
    const near = nearest(candidates, checks);
    const missed = (rank) => {
      const { limit, step } = limits[near[rank].place];
      return `${limit.name} ${inWords(limit, step)}`;
    };
    $("choice-table").replaceChildren(
      candidatesTable(
        near.map(({ one }) => one),
        place,
        "misses",
        missed,
      ),
    );
  }
}

function startChoice() {
  if (!data.choice) return;
  options(
    $("preference"),
    Object.keys(data.choice.margins).map((name) => [name, name]),
    "quality",
  );
  options($("choice-target"), [["", "this machine's CPU"], ...data.choice.places.map(({ name }) => [name, name])], "");
  options($("choice-model"), allOr(models), "");
  options($("choice-variant"), allOr(data.choice.candidates.map(({ variant }) => variant)), "");
  for (const id of ["choice-target", "choice-model", "choice-variant"]) $(id).addEventListener("change", drawLimits);
  $("preference").addEventListener("change", drawChoice);
  drawLimits();
}

startChoice();
