"""report.html in a real browser."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs import ROOT, benchmark, built
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from optsuite.__main__ import main
from optsuite.catalog.datasets import DATASETS
from optsuite.judge import recommend
from optsuite.judge.pareto import frontier
from optsuite.report import page, picks
from optsuite.report.page import columns
from optsuite.results import reader
from optsuite.results.answers import Answers

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
"""What `make test-page` installs."""
Show = Callable[[Any], Chrome]
Opened = Callable[[Path], None]
Resize = Callable[..., None]
Run = dict[str, Any]


RESULTS = "#results-lines"


def _heads(page: Chrome, place: str) -> list[str]:
    """The headers of the table in an element."""
    return [
        one.text for one in page.find_elements(By.CSS_SELECTOR, f"{place} thead :is(th button, th:not(:has(button)))")
    ]


def _column(page: Chrome, place: str, head: str) -> list[str]:
    """The texts in the column below a header, of the lines that are shown."""
    column = _heads(page, place).index(head)
    rows = "return [...document.querySelector(arguments[0]).querySelector('tbody').rows]"
    found: list[str] = page.execute_script(f"{rows}.map(row => row.cells[arguments[1]].textContent)", place, column)
    return found


def _sort(page: Chrome, place: str, head: str) -> None:
    page.find_elements(By.CSS_SELECTOR, f"{place} thead th button")[_heads(page, place).index(head)].click()


def _choose(page: Chrome, name: str, value: str) -> None:
    Select(page.find_element(By.ID, name)).select_by_value(value)


def _click(page: Chrome, selector: str) -> None:
    page.find_element(By.CSS_SELECTOR, selector).click()


def _quiet(page: Chrome) -> None:
    """Nothing was logged, and nothing asked for but the file itself and what is in it."""
    assert page.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    requested = [
        event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in requested if not url.startswith(("file:", "data:", "blob:"))] == []
    assert sum(url.startswith("file:") for url in requested) == 1


def test_it_loads_in_silence(shown_run: Run, show: Show) -> None:
    """No error, no warning, no request; the plot is drawn, the picks are there."""
    page = show(shown_run)
    assert page.find_elements(By.CSS_SELECTOR, "#plot .point")
    picks = [one.text for one in page.find_elements(By.CSS_SELECTOR, "#picks button.open")]
    assert picks == ["conv_baseline_s0 int16x8", "conv_baseline_s0 fp32"]  # two preferences pick the same
    assert [one.text for one in page.find_elements(By.CSS_SELECTOR, "#picks h3")] == ["quality, compact", "balanced"]
    _quiet(page)


def test_the_network_is_closed_to_it(shown_run: Run, show: Show) -> None:
    """Whatever comes to be in the page can neither load nor send, nor run."""
    page = show(shown_run)
    page.execute_script(
        "const script = document.createElement('script'); script.textContent = 'window.ran = 1';"
        "document.body.append(script); const image = document.createElement('img');"
        "image.src = 'http://127.0.0.1:9/'; document.body.append(image)"
    )
    assert page.execute_script("return window.ran") is None
    said = " ".join(entry["message"] for entry in page.get_log("browser"))
    assert said.count("Content Security Policy") == 2


def test_sorting(shown_run: Run, show: Show) -> None:
    """The most accurate first; then by what is clicked, figures with the largest first; what is missing is last."""
    page = show(shown_run)
    assert _column(page, RESULTS, "accuracy") == ["1.0000", "1.0000", "0.9900", "0.9900", "—", "—"]
    _sort(page, RESULTS, "median, µs")
    assert _column(page, RESULTS, "median, µs") == ["1,515.00?", "50.50?", "25.25?", "20.20", "—", "—"]
    _sort(page, RESULTS, "median, µs")
    assert _column(page, RESULTS, "median, µs") == ["20.20", "25.25?", "50.50?", "1,515.00?", "—", "—"]
    _sort(page, RESULTS, "experiment")
    assert _column(page, RESULTS, "experiment") == ["conv_baseline_s0"] * 3 + ["conv_qat_s0"] * 3


def test_filtering(shown_run: Run, show: Show) -> None:
    """Words and choices, all of which must be met; the count says what is left."""
    page = show(shown_run)
    words = page.find_element(By.CSS_SELECTOR, f"{RESULTS} input")
    words.send_keys("CONV int8")
    assert _column(page, RESULTS, "variant") == ["int8", "int8"]
    assert page.find_element(By.CSS_SELECTOR, f"{RESULTS} output").text == "2 of 6 lines"
    _, _, recipe, _ = map(Select, page.find_elements(By.CSS_SELECTOR, f"{RESULTS} select"))
    recipe.select_by_visible_text("qat")
    assert _column(page, RESULTS, "experiment") == ["conv_qat_s0"]
    assert page.find_element(By.CSS_SELECTOR, f"{RESULTS} output").text == "1 of 6 lines"
    words.clear()
    words.send_keys("tflite cannot")
    assert _column(page, RESULTS, "variant") == ["int16x8"]  # what is absent has its model and recipe, too
    words.send_keys(" nonsense")
    assert _column(page, RESULTS, "experiment") == []


def _grown(run: Run, count: int) -> Run:
    """The run with so many more experiments, of which each has a file of another accuracy, size and latency."""
    for number in range(count):
        run["optsuite"]["built"].append(built("conv", f"k-{number}"))
        run["optsuite"]["experiments"].append(f"conv_k-{number}_s0")
        made = benchmark(f"conv_k-{number}_s0", "int8", range(number * 7 % 12), scale=1 + number * 5 % 12)
        made["extra_info"]["optsuite"] |= {"bytes": 100 + number * 11 % 12, "gzip_bytes": 50 + number * 4 % 9}
        run["benchmarks"].append(made)
    return run


def test_long_tables_have_pages(shown_run: Run, show: Show) -> None:
    """Only the lines of a page are in the document, however many there are; on paper there are all."""
    page = show(_grown(shown_run, 994))
    pages = page.find_element(By.CSS_SELECTOR, f"{RESULTS} .pages")
    assert pages.text.split("\n") == ["Previous", "lines 1 to 20 of 2988", "Next"]
    first = _column(page, RESULTS, "experiment")
    assert len(first) == 20
    pages.find_elements(By.TAG_NAME, "button")[1].send_keys(Keys.ENTER)
    assert "lines 21 to 40 of 2988" in pages.text
    assert not set(first) & set(_column(page, RESULTS, "experiment"))
    page.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert len(_column(page, RESULTS, "experiment")) == 2988
    page.execute_script("dispatchEvent(new Event('afterprint'))")
    assert len(_column(page, RESULTS, "experiment")) == 20
    _quiet(page)


def test_headers_are_defined(shown_run: Run, show: Show) -> None:
    """A definition is shown to those who point at a header or reach it by keyboard, and read out by a screen reader."""
    page = show(shown_run)
    button = page.find_elements(By.CSS_SELECTOR, f"{RESULTS} thead th button")[
        _heads(page, RESULTS).index("gzip, bytes")
    ]
    tip = page.find_element(By.ID, "definition")
    assert not tip.is_displayed()
    page.execute_script("arguments[0].focus()", button)
    assert "size of the file after gzip -9" in tip.text
    described = page.find_element(By.ID, button.get_attribute("aria-describedby"))
    assert described.get_property("textContent") == tip.text
    button.send_keys(Keys.ESCAPE)
    assert not tip.is_displayed()


def test_every_column_of_a_target_is_defined() -> None:
    """No header of ours has only its own words for a definition."""
    run = reader.read(ROOT / "reports" / "mnist" / "run.json")
    assert [one["key"] for one in columns.columns(run) if len(one["definition"]) < len(one["label"]) + 20] == []


@pytest.mark.parametrize(("x", "y"), [("median_us", "accuracy"), ("bytes", "median_us"), ("accuracy", "gzip_bytes")])
def test_the_frontier_of_any_axes(x: str, y: str, shown_run: Run, show: Show) -> None:
    """Filled points are what `pareto.frontier` finds, over all variants."""
    page = show(_grown(shown_run, 12))
    for name, value in (("x", x), ("y", y), ("variant", "")):
        _choose(page, name, value)
    rows = page.execute_script("return data.rows")
    filled = page.execute_script(
        "return plot.data.filter(trace => trace.mode === 'markers' && !trace.marker.symbol.endsWith('-open'))"
        ".flatMap(trace => trace.customdata)"
    )
    signs = [-1 if name == "accuracy" else 1 for name in (x, y)]
    expected = frontier([(signs[0] * row[x], -signs[1] * row[y]) for row in rows])
    assert sorted(filled) == sorted(expected)
    assert len(filled) < len(rows)
    listed = page.execute_script(
        "return [...document.querySelectorAll('#frontier-list .open')].map(one => one.dataset)"
    )
    named = [(rows[place]["experiment"], rows[place]["variant"]) for place in filled]
    assert sorted((one["experiment"], one["variant"]) for one in listed) == sorted(named)


def test_labels_of_the_frontier_do_not_overlap(shown_run: Run, show: Show) -> None:
    """They name its points, with a line to each."""
    page = show(_grown(shown_run, 12))
    texts = page.execute_script("return plot.layout.annotations.map(one => one.text)")
    assert "k-0 int8" in texts
    boxes = page.execute_script(
        "return [...document.querySelectorAll('#plot .annotation-text-g')].map(one => one.getBoundingClientRect())"
        ".map(box => [box.left, box.top, box.right, box.bottom])"
    )
    assert len(boxes) == len(texts)
    for one, other in itertools.combinations(boxes, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def test_a_small_difference_is_no_chasm(shown_run: Run, show: Show) -> None:
    """The axis of accuracies spans a factor of four of the error at least; another a fifth of its values."""
    for one in shown_run["benchmarks"]:
        if measured := one["extra_info"].get("optsuite"):
            measured["bytes"] = 2000 + len(measured["variant"])
    page = show(shown_run)
    _choose(page, "x", "bytes")
    errors, sizes = page.execute_script("return [plot.layout.yaxis.range, plot.layout.xaxis.range]")
    assert 10 ** abs(errors[0] - errors[1]) >= 4
    assert sizes[1] - sizes[0] >= 400


def test_a_point_tells_its_numbers_and_opens_its_experiment(shown_run: Run, show: Show) -> None:
    """On hovering, with intervals; on a click."""
    page = show(shown_run)
    point = page.find_elements(By.CSS_SELECTOR, "#plot .point")[0]
    ActionChains(page).move_to_element(point).pause(0.3).perform()
    said = page.find_element(By.CSS_SELECTOR, "#plot .hoverlayer").text
    assert "conv_" in said
    assert "test accuracy: 0.99 (0.9455 to 0.9982)" in said
    ActionChains(page).move_to_element(point).click().perform()
    assert page.find_element(By.ID, "detail-title").text.startswith("conv_")


def test_one_experiment(shown_run: Run, show: Show) -> None:
    """A click on its line shows all that there is; another variant can be chosen; Escape closes it."""
    page = show(shown_run)
    _click(page, f"{RESULTS} tr[data-experiment=conv_baseline_s0][data-variant=int8] td:nth-child(3)")
    assert page.find_element(By.ID, "detail-title").text == "conv_baseline_s0"
    for place in ("times", "curve", "confusion"):
        assert page.find_elements(By.CSS_SELECTOR, f"#{place} .main-svg"), place
    assert len(page.find_elements(By.CSS_SELECTOR, "#weights .histogram .main-svg")) >= 2
    assert page.execute_script("return times.data.map(trace => trace.name)") == ["fp32", "int8", "int16x8"]
    counts = page.execute_script("return document.getElementById('confusion').data[0].customdata")
    assert sum(map(sum, counts)) == 100
    assert sum(counts[i][i] for i in range(10)) == 99
    assert page.find_element(By.ID, "newly-wrong").text == "7, not 1"
    assert page.find_element(By.CSS_SELECTOR, "#newly-wrong i").size["width"] == 56
    # The pictures are side by side: the style names the same element as the page.
    assert page.find_element(By.ID, "newly-wrong").value_of_css_property("display") == "flex"
    Select(page.find_element(By.ID, "detail-variant")).select_by_value("fp32")
    assert page.find_element(By.ID, "newly-wrong-about").text == "0 inputs of the test set"
    ActionChains(page).send_keys(Keys.ESCAPE).perform()
    assert not page.find_element(By.ID, "detail").is_displayed()
    _quiet(page)


def test_what_is_broken_is_named(shown_run: Run, show: Show) -> None:
    """A layer that violates an invariant says so in its line."""
    header = shown_run["optsuite"]
    header["built"].append(built("conv", "prune-0.8"))
    header["experiments"].append("conv_prune-0.8_s0")
    made = benchmark("conv_prune-0.8_s0", "int8")
    made["extra_info"]["optsuite"]["weights"][0]["zeros"] = 1
    shown_run["benchmarks"].append(made)
    page = show(shown_run)
    _click(page, "tr[data-experiment='conv_prune-0.8_s0']")
    assert "conv2d: expected at least 240 zeros of 300, found 1" in page.find_element(By.ID, "detail-layers").text


HOSTILE = [
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 1">',
    "</script><script>window.hacked = 1</script>",
    "a|b'c\"d\\e&amp;<b>f",
    "${window.hacked = 1}{{ 1 }}{% raw %}",
    "very long " + "x" * 10_000,
    "<a href='javascript:window.hacked = 1'>click</a>",
]


@pytest.mark.parametrize("width", [1280, 400])
def test_hostile_names_do_no_harm(width: int, shown_run: Run, show: Show, resize: Resize) -> None:
    """They are shown as they are, run nowhere, and push nothing out of the page."""
    header = shown_run["optsuite"]
    for number, name in enumerate(HOSTILE):
        header["built"].append(built(name, name, id=f"{name}{number}"))
        header["experiments"].append(f"{name}{number}")
        made = benchmark(f"{name}{number}", "int8", range(number))
        made["extra_info"]["optsuite"]["note"] = name
        made["extra_info"]["optsuite"]["weights"][0]["name"] = name
        shown_run["benchmarks"].append(made)
    header["absences"].append({"experiment": "conv_baseline_s0", "variant": "fp16", "reason": HOSTILE[1]})
    header["variants"].append("fp16")
    shown_run["commit_info"]["id"] = HOSTILE[0]
    page = show(shown_run)
    resize(width)
    _choose(page, "columns", "this machine")
    for name in HOSTILE:
        assert name in _column(page, RESULTS, "note")
    for number, name in enumerate(HOSTILE):
        page.execute_script("show(arguments[0], 'int8')", f"{name}{number}")
        assert page.find_element(By.ID, "detail-title").get_property("textContent") == f"{name}{number}"
        assert page.execute_script("return detail.scrollWidth <= detail.clientWidth")
    assert page.execute_script("return window.hacked") is None
    assert page.execute_script("return document.querySelectorAll('main img, main script, dialog img').length") == 0
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    _quiet(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_overflows_or_overlaps(theme: str, width: int, shown_run: Run, show: Show, resize: Resize) -> None:
    """Each section below the one before, none wider than the window."""
    page = show(shown_run)
    resize(width, theme)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    for parts in ("main > section", "#detail > section"):
        if parts.startswith("#detail"):
            page.execute_script("show('conv_baseline_s0', 'int8')")
            assert page.execute_script("return detail.scrollWidth <= detail.clientWidth")
        boxes = page.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map(one => one.getBoundingClientRect())"
            ".map(box => [box.left, box.top, box.right, box.bottom])",
            parts,
        )
        assert all(left >= 0 and right <= width for left, _, right, _ in boxes)
        assert all(one[3] <= other[1] for one, other in itertools.pairwise(boxes))


def test_a_run_of_nothing_and_of_one(shown_run: Run, show: Show) -> None:
    """What is not there is not drawn, and nothing breaks."""
    rows = shown_run["benchmarks"]
    for kept in (rows[:0], rows[2:3]):
        shown_run["benchmarks"] = kept
        page = show(shown_run)
        assert len(page.find_elements(By.CSS_SELECTOR, "#plot .point")) == len(kept)
        assert len(page.find_elements(By.ID, "picks")) == len(kept)
        _quiet(page)


def test_figures_of_examinations(shown_run: Run, show: Show) -> None:
    """One is an axis, on which only the files that have it are drawn, and a column, where what is missing is a dash."""
    declared = {"name": "cycles", "label": "<b>cycles</b>", "unit": "", "better": "lower", "tolerance": 0.01}
    shown_run["optsuite"]["figures"].append(declared)
    for one in shown_run["benchmarks"]:
        measured = one["extra_info"].get("optsuite")
        if measured and measured["variant"] == "int8":
            measured["figures"] = {"cycles": 1_234_567}
    page = show(shown_run)
    _choose(page, "columns", "other examinations")
    assert sorted(_column(page, RESULTS, "<b>cycles</b>")) == ["1,234,567", "1,234,567", "—", "—", "—", "—"]
    Select(page.find_element(By.ID, "x")).select_by_visible_text("<b>cycles</b>")
    shown = page.execute_script(
        "return document.getElementById('plot').data.flatMap(trace => trace.mode === 'markers' ? trace.x : [])"
    )
    assert shown == [1_234_567, 1_234_567]
    _click(page, f"{RESULTS} tbody tr td button")
    assert "<b>cycles</b>" in _heads(page, "#detail-variants")
    _quiet(page)


def _with_targets(run: Run) -> Run:
    """The run with two targets, on which all files but one use as much flash as their size, and half of it."""
    header = run["optsuite"]
    for name in ("npu", "board"):
        declared = {"name": f"{name}_flash", "label": f"flash on {name} (Tool)", "unit": "bytes", "better": "lower"}
        header["figures"].append({**declared, "resource": "flash"})
    header["examinations"] = [
        {"name": name, "figures": [f"{name}_flash"], "tools": {"compiler": "1"}, "target": name}
        for name in ("npu", "board")
    ]
    measured = [one["extra_info"]["optsuite"] for one in run["benchmarks"] if "optsuite" in one["extra_info"]]
    for one in measured:
        one["figures"] = {"npu_flash": one["bytes"], "board_flash": one["bytes"] // 2}
    measured[0]["figures"] = {}
    measured[0]["unexamined"] = {"npu": "an operator is unknown there", "board": "too large"}
    return run


def test_figures_of_a_target_are_columns_when_it_is_chosen(shown_run: Run, show: Show) -> None:
    """In the table, where the note says why there are none, and in the view of an experiment; they are axes always."""
    page = show(_with_targets(shown_run))
    assert "flash, bytes" not in _heads(page, RESULTS)
    _choose(page, "columns", "npu")
    assert set(_column(page, RESULTS, "flash, bytes")) == {"2,000", "—"}
    assert "an operator is unknown there" in _column(page, RESULTS, "note")
    Select(page.find_element(By.ID, "x")).select_by_visible_text("flash on board (Tool)")
    point = page.find_elements(By.CSS_SELECTOR, "#plot .point")[0]
    ActionChains(page).move_to_element(point).pause(0.3).perform()
    said = page.find_element(By.CSS_SELECTOR, "#plot .hoverlayer").text
    assert "flash on board (Tool): 1,000 bytes" in said
    assert "flash on npu" not in said
    _click(page, f"{RESULTS} tbody tr td button")
    assert "flash, bytes" in _heads(page, "#detail-variants")
    _quiet(page)


def test_what_recipes_change(shown_run: Run, show: Show) -> None:
    """The first table says how the int8 files of each recipe relate to those of the baseline."""
    page = show(_with_targets(shown_run))
    assert _heads(page, "#recipes-lines") == ["recipe", "accuracy change", "latency on this CPU", "flash on npu"]
    (line,) = page.find_elements(By.CSS_SELECTOR, "#recipes-lines tbody tr")
    assert [one.text for one in line.find_elements(By.TAG_NAME, "td")] == ["qat", "0.00 points", "80 %", "100 %"]


def test_side_by_side(shown_run: Run, show: Show) -> None:
    """Every figure of a variant of two or three experiments, with what it is of that of the first."""
    page = show(_with_targets(shown_run))
    for name, value in (("side-1", "conv_baseline_s0"), ("side-2", "conv_qat_s0"), ("side-3", "")):
        _choose(page, name, value)
    _choose(page, "side-variant", "int8")
    _choose(page, "side-target", "board")
    lines = [
        [one.text for one in row.find_elements(By.CSS_SELECTOR, "th, td")]
        for row in page.find_elements(By.CSS_SELECTOR, "#sides tr")
    ]
    assert ["", "conv_baseline_s0", "conv_qat_s0"] in lines
    assert ["median, µs", "25.25", "20.20 best 80 %"] in lines
    assert ["flash, bytes, board", "1,000", "1,000 100 %"] in lines
    _choose(page, "side-variant", "int16x8")
    assert page.find_elements(By.CSS_SELECTOR, "#sides tbody tr")[0].text == "accuracy 1.0000 —"


def test_another_metric(shown_run: Run, show: Show) -> None:
    """Its values are drawn as they are, and there is no limit of them to set."""
    header = shown_run["optsuite"]
    header["datasets"] = [{"name": "sines", "metric": "mean error", "labels": []}]
    parts = [*header["built"], *(one["extra_info"].get("optsuite", {}) for one in shown_run["benchmarks"])]
    for number, part in enumerate(part for part in parts if part):
        scores = asdict(Answers.of(np.full(100, -1.0 - number / 8, np.float32)))
        part |= {"test": scores, "validation": scores} | ({"mistakes": []} if "mistakes" in part else {})
    for part in header["built"]:
        part["dataset"] = "sines"
    page = show(shown_run)
    shown = page.execute_script("return plot.data.flatMap(trace => trace.mode === 'markers' ? trace.y : [])")
    assert sorted(shown) == [-1.625, -1.5, -1.375, -1.25]
    assert len(page.find_elements(By.CSS_SELECTOR, "#limits input")) == 2
    assert page.find_element(By.ID, "choice-answer").text == "Take conv_baseline_s0 fp32."
    assert _column(page, "#recipes-lines", "accuracy change") == ["-0.25"]
    _click(page, f"{RESULTS} tbody tr td button")
    _quiet(page)


def test_a_smoke_run_says_so_first(shown_run: Run, show: Show) -> None:
    """Its accuracies mean nothing."""
    shown_run["optsuite"]["profile"] = "smoke"
    assert "Accuracies are not" in show(shown_run).find_element(By.CSS_SELECTOR, "header .banner").text


@pytest.fixture(scope="session")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the committed run: three models, all targets."""
    path = tmp_path_factory.mktemp("committed") / "report.html"
    run = reader.read(ROOT / "reports" / "mnist" / "run.json")
    path.write_text(page.render(run, DATASETS["mnist"].load("test"), picks.picks(run)), "utf-8")
    return path


def test_all_columns_fit(committed: Path, opened: Opened, chromium: Chrome, resize: Resize) -> None:
    """No table of the page is wider than a window of 1280 pixels, whichever columns are chosen."""
    resize(1280)
    opened(committed)
    wide = (
        "return [...document.querySelectorAll('main .scroll')].filter(one => one.scrollWidth > one.clientWidth)"
        ".map(one => one.getAttribute('aria-label'))"
    )
    for group in Select(chromium.find_element(By.ID, "columns")).options:
        group.click()
        assert chromium.execute_script(wide) == [], group.text


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_it_is_accessible(
    width: int, theme: str, committed: Path, opened: Opened, chromium: Chrome, resize: Resize
) -> None:
    """axe-core finds no violation, neither in the page with all of it open, nor in the view of an experiment."""
    resize(width, theme)
    opened(committed)
    chromium.set_script_timeout(300)
    chromium.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    for script in ("", "show('dscnn_prune-0.8_s0', 'int8')"):
        chromium.execute_script(script)
        chromium.execute_script(AXE.read_text("utf-8"))
        found = chromium.execute_async_script("axe.run().then(arguments[0])")
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]] == []
        assert len(found["passes"]) > 30


def test_the_choice_is_that_of_the_command(
    committed: Path,
    opened: Opened,
    chromium: Chrome,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever is chosen and limited, the command that the page shows names the same file."""
    monkeypatch.setattr(recommend, "RESAMPLES", 1)  # they say how certain the choice is, and take long
    run = reader.read(ROOT / "reports" / "mnist" / "run.json")
    monkeypatch.setattr(reader, "read", lambda _: run)
    opened(committed)
    rng = np.random.default_rng(0)
    answers = []
    for _ in range(40):
        for name in ("preference", "choice-target", "choice-model", "choice-variant"):
            select = Select(chromium.find_element(By.ID, name))
            likely = len(select.options) if name in ("preference", "choice-target") or rng.random() < 0.3 else 1
            select.select_by_index(int(rng.integers(likely)))
        chromium.execute_script(
            "document.querySelectorAll('#limits input').forEach((one, place) => {"
            "  if (arguments[0][place] < 0.8) one.value = Math.round((arguments[0][place] / 0.8) * one.max);"
            "}); drawChoice()",
            rng.random(9).tolist(),
        )
        shown = chromium.find_element(By.ID, "choice-answer").text
        command = shlex.split(chromium.find_element(By.ID, "choice-command").text)
        assert command[0] == "optsuite"
        exit_code = main(command[1:])
        output = capsys.readouterr().out
        if exit_code == 0:
            found = re.search(r"^ +best in .*\n(\S+) +(\S+) ", output, re.MULTILINE)
            assert found, output
            assert shown == f"Take {found[1]} {found[2]}.", command
        elif exit_code == 2:  # an error of the command: there is nothing to choose from
            assert shown.startswith("None of these files runs on "), (command, output)
        else:
            assert shown.startswith("No file is within the limits."), (command, output)
            near = re.findall(r": (\S+)\s+(\S+)\s+has\s", output.partition("Nearest:")[2])
            named = [_column(chromium, "#choice-table", head) for head in ("experiment", "variant")]
            assert list(zip(*named, strict=True)) == near
        answers.append(shown)
    assert len(set(answers)) > 10
    assert 3 < sum(one.startswith("No file") for one in answers) < 30
