"""report.html in a real browser."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from runs import benchmark, built
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from optsuite.judge.pareto import frontier

Show = Callable[[Any], Chrome]
Resize = Callable[..., None]
Run = dict[str, Any]


def _column(page: Chrome, table: str, column: int) -> list[str]:
    """The texts of the lines that are shown."""
    found: list[str] = page.execute_script(
        "return [...document.getElementById(arguments[0]).tBodies[0].rows].filter(row => !row.hidden)"
        ".map(row => row.cells[arguments[1]].textContent)",
        *(table, column),
    )
    return found


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
    """By numbers as numbers, both ways; what is missing is last."""
    page = show(shown_run)
    head = "#results-table th:nth-child(7) button"
    _click(page, head)
    assert _column(page, "results-table", 6) == ["20.20", "25.25?", "50.50?", "1515.00?", "—", "—"]
    _click(page, head)
    assert _column(page, "results-table", 6) == ["1515.00?", "50.50?", "25.25?", "20.20", "—", "—"]
    _click(page, "#results-table th:nth-child(1) button")
    assert _column(page, "results-table", 0) == ["conv_baseline_s0"] * 3 + ["conv_qat_s0"] * 3


def test_filtering(shown_run: Run, show: Show) -> None:
    """Words and choices, all of which must be met; the count says what is left."""
    page = show(shown_run)
    filters = page.find_element(By.CSS_SELECTOR, "[data-table=results-table]")
    filters.find_element(By.TAG_NAME, "input").send_keys("CONV int8")
    assert _column(page, "results-table", 1) == ["int8", "int8"]
    assert filters.find_element(By.TAG_NAME, "output").text == "2 of 6 lines"
    Select(filters.find_elements(By.TAG_NAME, "select")[1]).select_by_visible_text("qat")
    assert _column(page, "results-table", 0) == ["conv_qat_s0"]
    assert filters.find_element(By.TAG_NAME, "output").text == "1 of 6 lines"
    filters.find_element(By.TAG_NAME, "input").clear()
    filters.find_element(By.TAG_NAME, "input").send_keys("tflite cannot")
    assert _column(page, "results-table", 1) == ["int16x8"]  # what is absent has its model and recipe, too
    filters.find_element(By.TAG_NAME, "input").send_keys(" nonsense")
    assert _column(page, "results-table", 0) == []


@pytest.mark.parametrize(("x", "y"), [("median_us", "accuracy"), ("bytes", "median_us"), ("accuracy", "gzip_bytes")])
def test_the_frontier_of_any_axes(x: str, y: str, shown_run: Run, show: Show) -> None:
    """Filled points are what `pareto.frontier` finds, over all variants."""
    header = shown_run["optsuite"]
    header["built"] += [built("conv", f"k-{number}") for number in range(12)]
    header["experiments"] += [f"conv_k-{number}_s0" for number in range(12)]
    for number in range(12):
        made = benchmark(f"conv_k-{number}_s0", "int8", range(number * 7 % 12), scale=1 + number * 5 % 12)
        made["extra_info"]["optsuite"] |= {"bytes": 100 + number * 11 % 12, "gzip_bytes": 50 + number * 4 % 9}
        shown_run["benchmarks"].append(made)
    page = show(shown_run)
    for name, value in (("x", x), ("y", y), ("variant", "")):
        Select(page.find_element(By.ID, name)).select_by_value(value)
    rows = page.execute_script("return data.rows")
    filled = page.execute_script(
        "return plot.data.filter(trace => trace.mode === 'markers' && !trace.marker.symbol.endsWith('-open'))"
        ".flatMap(trace => trace.customdata)"
    )
    signs = [-1 if name == "accuracy" else 1 for name in (x, y)]
    expected = frontier([(signs[0] * row[x], -signs[1] * row[y]) for row in rows])
    assert sorted(filled) == sorted(expected)
    assert len(filled) < len(rows)


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
    _click(page, "#results-table tr[data-experiment=conv_baseline_s0][data-variant=int8] td:nth-child(3)")
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
    assert set(HOSTILE) < set(_column(page, "results-table", 11))
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
    """Each section below the one before, none wider than the window; text can be told from its ground."""
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
    assert page.execute_script(_CONTRAST) > 7


_CONTRAST = """
const light = (colour) => {
  const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255)
    .map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
};
const style = getComputedStyle(document.body);
const [dark, bright] = [style.color, style.backgroundColor].map(light).sort((a, b) => a - b);
return (bright + 0.05) / (dark + 0.05);
"""
"""The contrast of text and ground (WCAG 2.2)."""


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
    column = len(page.find_elements(By.CSS_SELECTOR, "#results-table thead th")) - 1
    assert page.find_elements(By.CSS_SELECTOR, "#results-table thead th")[column].text == "<b>cycles</b>"
    assert sorted(_column(page, "results-table", column)) == ["1,234,567", "1,234,567", "—", "—", "—", "—"]
    Select(page.find_element(By.ID, "variant")).select_by_value("")
    Select(page.find_element(By.ID, "x")).select_by_visible_text("<b>cycles</b>")
    shown = page.execute_script(
        "return document.getElementById('plot').data.flatMap(trace => trace.mode === 'markers' ? trace.x : [])"
    )
    assert shown == [1_234_567, 1_234_567]
    _click(page, "#results-table tbody tr td button")
    heads = [one.text for one in page.find_elements(By.CSS_SELECTOR, "#detail-variants th")]
    assert heads[-1] == "<b>cycles</b>"
    _quiet(page)


def test_figures_of_targets_are_shown_when_their_target_is_chosen(shown_run: Run, show: Show) -> None:
    """In the table and in the view of an experiment; they are axes at any time, and told of a point on such an axis."""
    header = shown_run["optsuite"]
    for name in ("npu", "board"):
        declared = {"name": f"{name}_flash", "label": f"flash on {name}", "unit": "bytes", "better": "lower"}
        header["figures"].append({**declared, "resource": "flash"})
    header["examinations"] = [
        {"name": name, "figures": [f"{name}_flash"], "tools": {"compiler": "1"}, "target": name}
        for name in ("npu", "board")
    ]
    for one in shown_run["benchmarks"]:
        if measured := one["extra_info"].get("optsuite"):
            measured["figures"] = {"npu_flash": 2_345, "board_flash": 6_789}
    page = show(shown_run)

    def heads(place: str) -> list[str]:
        return [one.text for one in page.find_elements(By.CSS_SELECTOR, f"{place} th") if one.is_displayed()]

    assert not {"flash on npu", "flash on board"} & set(heads("#results-table"))
    Select(page.find_element(By.ID, "target")).select_by_value("npu")
    assert {"flash on npu", "flash on board"} & set(heads("#results-table")) == {"flash on npu"}
    (column,) = (place for place, text in enumerate(heads("#results-table"), 1) if text == "flash on npu")
    _click(page, f"#results-table th:nth-child({column}) button")
    assert set(_column(page, "results-table", column - 1)) == {"2,345", "—"}
    Select(page.find_element(By.ID, "x")).select_by_visible_text("flash on board")
    point = page.find_elements(By.CSS_SELECTOR, "#plot .point")[0]
    ActionChains(page).move_to_element(point).pause(0.3).perform()
    said = page.find_element(By.CSS_SELECTOR, "#plot .hoverlayer").text
    assert "flash on board: 6,789 bytes" in said
    assert "flash on npu" not in said
    _click(page, "#results-table tbody tr td button")
    assert "flash on npu, bytes" in heads("#detail-variants")
    assert "flash on board, bytes" not in heads("#detail-variants")
    _quiet(page)
