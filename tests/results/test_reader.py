"""The JSON of a run: what is read, and what is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from optsuite.__main__ import main
from optsuite.errors import OptsuiteError
from optsuite.results import reader

Write = Callable[[Any], Path]


def test_a_run_is_read(run_json: dict[str, Any], write_run: Write) -> None:
    """Rows of ours, and none of the user's own benchmarks."""
    run = reader.read(write_run(run_json))
    assert [(row.measured.experiment, row.measured.variant) for row in run.rows] == [
        ("conv_baseline_s0", "fp32"),
        ("conv_baseline_s0", "int8"),
        ("conv_baseline_s0", "int16x8"),
        ("conv_qat_s0", "int8"),
    ]
    assert run.commit == "0123456789ab+"
    assert run.machine == "A CPU, x86_64"
    assert run.absence("conv_qat_s0", "int16x8") == "TFLite cannot"
    assert run.absence("conv_qat_s0", "fp32") == "not measured in this run"


def test_percentiles_come_from_the_rounds(run_json: dict[str, Any], write_run: Write) -> None:
    """100 rounds of 1 to 100 us: p90 is 90.1 us by linear interpolation, p99 is not p90."""
    timing = reader.read(write_run(run_json)).rows[0].timing
    assert timing.percentile_s(90) == pytest.approx(90.1e-6)
    assert timing.percentile_s(99) == pytest.approx(99.01e-6)


@pytest.mark.parametrize("change", [{"data": []}, {"iterations": 2}])
def test_no_percentiles_without_single_rounds(change: Any, run_json: dict[str, Any], write_run: Write) -> None:
    """A file that kept no rounds, or whose rounds are means, has medians only."""
    run_json["benchmarks"][0]["stats"] |= change
    assert reader.read(write_run(run_json)).rows[0].timing.percentile_s(90) is None


def test_derived_numbers(run_json: dict[str, Any], write_run: Write) -> None:
    """FLOPs are twice the MACs; sparsity is over all kernels; the coverage is of what was pruned."""
    base = copy.deepcopy(run_json["optsuite"]["built"][0])
    base["info"]["stages"][0]["stage"] = "prune"
    base["info"]["stages"][0]["invariants"] = {"conv2d": {"sparsity": 0.8}}
    run_json["optsuite"]["built"][0] = base
    one = reader.read(write_run(run_json)).header.built[0]
    assert (one.flops, one.sparsity, one.prunable, one.epochs) == (10_000, 0.6, 0.75, 2)
    run_json["benchmarks"][0]["extra_info"]["optsuite"]["weights"][0]["entropy_bits"] = 720.0
    assert reader.read(write_run(run_json)).rows[0].measured.entropy_bytes == 100.0


def _broken(run_json: dict[str, Any]) -> dict[str, tuple[Any, str]]:
    """Each way to be wrong: the content, and what has to be said."""

    def change(path: str, value: Any) -> Any:
        changed = copy.deepcopy(run_json)
        *outer, last = path.split(".")
        place: Any = changed
        for step in outer:
            place = place[int(step) if step.isdecimal() else step]
        place[int(last) if last.isdecimal() else last] = value
        return changed

    text = json.dumps(run_json)
    rows, known = run_json["benchmarks"], run_json["optsuite"]["built"]
    measured = "benchmarks.0.extra_info.optsuite"
    spent = change("optsuite.figures", [{**run_json["optsuite"]["figures"][0], "resource": "flash"}])
    spent["benchmarks"][0]["extra_info"]["optsuite"]["figures"] = {spent["optsuite"]["figures"][0]["name"]: -1}
    return {
        "empty": ("", "not the JSON of an optsuite run"),
        "truncated": (text[: len(text) // 2], "not the JSON of an optsuite run"),
        "not json": ("hello", "not the JSON of an optsuite run"),
        "3,000 levels": ('{"optsuite": ' + "[" * 3_000 + "]" * 3_000 + "}", "not the JSON of an optsuite run"),
        "a list": ("[]", "not the JSON of an optsuite run"),
        "not ours": ({"benchmarks": []}, "missing required field `optsuite`"),
        "an older schema": (
            change("optsuite.schema", 2),
            "expected schema version 5 or 6, got 2; make the run again with this version of optsuite",
        ),
        "a newer schema": (
            change("optsuite.schema", 7),
            "expected schema version 5 or 6, got 7; the file was written by a newer version of optsuite: install that",
        ),
        "a NaN": (change("benchmarks.0.stats.median", float("nan")), "not the JSON of an optsuite run"),
        "negative time": (change("benchmarks.0.stats.median", -1.0), "median"),
        "no time": (change("benchmarks.0.stats.median", 0.0), "median"),
        "no time of the reference": (change("optsuite.reference_times.0.before_row_s", 0.0), "before_row_s"),
        "accuracy over 1": (change(f"{measured}.test.accuracy", 1.5), "an accuracy and its scores disagree"),
        "bits of another length": (change(f"{measured}.test.bits", "AAAA"), "expected 13 bytes of scores for 100"),
        "bits that are not base64": (change(f"{measured}.test.bits", "é"), "base64|ASCII"),
        "a mistake too many": (change(f"{measured}.mistakes", [1]), "fp32 has 1 mistakes for 0 wrong answers"),
        "labels of other images": (change("optsuite.datasets.0.labels", [0]), "to 100 images, of which 1 have a label"),
        "accuracy against its bits": (change(f"{measured}.test.accuracy", 0.5), "an accuracy and its scores disagree"),
        "a row twice": (change("benchmarks", [*rows, rows[0]]), "a row is there twice"),
        "an experiment twice": (change("optsuite.built", [*known, known[0]]), "an experiment is there twice"),
        "a row of nothing": (
            change(f"{measured}.experiment", "vgg"),
            "expected rows of experiments that the run declares, got rows of vgg",
        ),
        "not selected": (
            change("optsuite.experiments", []),
            "experiments that the run declares, got rows of conv_baseline_s0",
        ),
        "no bytes": (change(f"{measured}.bytes", 0), ">= 1"),
        "no stages": (change("optsuite.built.0.info.stages", []), "length >= 1"),
        "no rounds": (change("benchmarks.0.stats.rounds", 0), ">= 1"),
        "min above max": (change("benchmarks.0.stats.min", 1.0), "fp32: impossible timing: median"),
        "mean above max": (change("benchmarks.0.stats.mean", 1.0), "fp32: impossible timing: median"),
        "rounds that are not there": (change("benchmarks.0.stats.rounds", 7), "100 rounds recorded of 7"),
        "31 years": (change("benchmarks.0.stats.median", 1e300), "<= 1000000000.0"),
        "negative parameters": (change("optsuite.built.0.info.parameters", -1), ">= 0"),
        "negative MACs": (change("optsuite.built.0.info.macs", -1), ">= 0"),
        "zeros over weights": (change(f"{measured}.weights.0.zeros", 1_000), "1000 zeros"),
        "values over weights": (change(f"{measured}.weights.0.unique", 1_000), "1000 values"),
        "zeros of a stage": (
            change("optsuite.built.0.info.stages.0.weights.0.zeros", 301),
            "layer conv2d: expected no",
        ),
        "negative entropy": (change(f"{measured}.weights.0.entropy_bits", -1.0), ">= 0"),
        "no peak": (change("optsuite.environment.peak_macs_per_s.int8", 0.0), "> 0"),
        "a dataset twice": (
            change("optsuite.datasets", 2 * [{"name": "mnist", "labels": []}]),
            "a dataset is there twice",
        ),
        "other data": (
            change("optsuite.built.0.dataset", "cifar"),
            "the datasets of all experiments, got none called cifar",
        ),
        "ids without a dataset": (
            change("optsuite.datasets", [{"name": name, "labels": [0] * 100} for name in ("mnist", "cifar")]),
            "expected ids that begin with the dataset, as there are several, got conv_baseline_s0",
        ),
        "rounds of another median": (
            change("benchmarks.0.stats.data", [0.5] * 100),
            "fp32: impossible timing: median 5.05e-05 s of rounds with the median 0.5 s",
        ),
        "a huge figure": (change(f"{measured}.figures", {"tflm_arena_bytes": 10**400}), "not the JSON of an optsuite"),
        "less than no memory": (spent, "expected figures from 0, got less for"),
        "entropy over values": (change(f"{measured}.weights.0.entropy_bits", 901.0), "got 901 bits for 300 weights"),
        "a histogram of others": (
            change(f"{measured}.weights.0.histogram", [301]),
            "conv2d: expected a histogram of its 300 weights, got another",
        ),
        "a histogram turned round": (change(f"{measured}.weights.0.low", 2.0), "expected a histogram of its 300"),
        "epochs without a loss": (
            change("optsuite.built.0.info.stages.0.loss", [1.0]),
            "conv_baseline_s0, train: expected loss of 2 epochs, got 1",
        ),
        "more operators than there are": (
            change("benchmarks.2.extra_info.optsuite.execution.operators", 1),
            "int16x8: expected at most 1 operators that XNNPACK does not run, got 2",
        ),
        "a variant of nothing": (
            change(f"{measured}.variant", "int2"),
            "expected rows of variants that the run declares, got rows of int2",
        ),
        "a training twice": (change("optsuite.built.1.recipe", "baseline"), "a training is there twice"),
        "a figure twice": (change("optsuite.figures", 2 * run_json["optsuite"]["figures"]), "a figure is there twice"),
        "measured and absent": (
            change("optsuite.absences.0.experiment", "conv_baseline_s0"),
            "conv_baseline_s0 int16x8 is measured and absent",
        ),
        "no cores": (change("optsuite.environment.cores", 0), ">= 1"),
        "negative load": (change("optsuite.environment.load", -1.0), ">= 0"),
        "clusters of no value": (
            change("optsuite.built.0.info.stages.0.invariants", {"conv2d": {"clusters": 0}}),
            ">= 1",
        ),
        "no date": (change("datetime", "zzz"), "datetime: expected a date as ISO 8601 has it, got 'zzz'"),
    }


CASES = (
    "empty",
    "truncated",
    "not json",
    "3,000 levels",
    "a list",
    "not ours",
    "an older schema",
    "a newer schema",
    "a NaN",
    "negative time",
    "no time",
    "no time of the reference",
    "accuracy over 1",
    "bits of another length",
    "bits that are not base64",
    "a mistake too many",
    "labels of other images",
    "accuracy against its bits",
    "a row twice",
    "an experiment twice",
    "a row of nothing",
    "not selected",
    "no bytes",
    "no stages",
    "no rounds",
    "min above max",
    "mean above max",
    "rounds that are not there",
    "31 years",
    "negative parameters",
    "negative MACs",
    "zeros over weights",
    "values over weights",
    "zeros of a stage",
    "negative entropy",
    "no peak",
    "a dataset twice",
    "other data",
    "ids without a dataset",
    "rounds of another median",
    "a huge figure",
    "less than no memory",
    "entropy over values",
    "a histogram of others",
    "a histogram turned round",
    "epochs without a loss",
    "more operators than there are",
    "a variant of nothing",
    "a training twice",
    "a figure twice",
    "measured and absent",
    "no cores",
    "negative load",
    "clusters of no value",
    "no date",
)


@pytest.mark.parametrize("case", CASES)
def test_what_can_not_be_used_is_one_line_and_exit_2(
    case: str, run_json: dict[str, Any], write_run: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file's name, what is wrong with it, and nothing written."""
    content, message = _broken(run_json)[case]
    path = write_run(content)
    with pytest.raises(OptsuiteError, match=message):
        reader.read(path)
    assert main(["report", str(path), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"optsuite: {path}: ")
    assert said.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_every_case_is_tried(run_json: dict[str, Any]) -> None:
    """The list of cases and their table are one."""
    assert tuple(_broken(run_json)) == CASES


def test_a_run_of_the_version_before_is_read(run_json: dict[str, Any], write_run: Write) -> None:
    """It has one dataset, whose properties are the header's own."""
    now = reader.read(write_run(run_json))
    header = run_json["optsuite"]
    header["labels"] = header.pop("datasets")[0]["labels"]
    header["requested"]["dataset"] = header["requested"].pop("datasets")[0]
    before = reader.read(write_run(run_json | {"optsuite": header | {"schema": 5}}))
    assert before.header.datasets == now.header.datasets
    assert before.rows == now.rows
    del header["labels"]
    with pytest.raises(OptsuiteError, match="not the JSON of an optsuite run: 'labels'"):
        reader.read(write_run(run_json | {"optsuite": header | {"schema": 5}}))


def test_the_parts_of_a_run_of_two_datasets(run_json: dict[str, Any], write_run: Write) -> None:
    """Each has its experiments, rows, absences and times of the reference model; judging is by MODEL_RECIPE of both."""
    text = json.dumps(run_json).replace("conv_baseline_s0", "mnist/conv_baseline_s0")
    two = json.loads(text.replace("conv_qat_s0", "other/conv_qat_s0"))
    two["optsuite"]["datasets"].append({"name": "other", "labels": [0] * 100, "sha256": "ab"})
    two["optsuite"]["built"][1]["dataset"] = "other"
    run = reader.read(write_run(two))
    assert [built.model_recipe for built in run.header.built] == ["mnist/conv_baseline", "other/conv_qat"]
    first, second = run.by_dataset()
    assert [len(part.rows) for part in (first, second)] == [3, 1]
    assert (first.header.data.name, second.header.data.sha256) == ("mnist", "ab")
    assert first.header.experiments == ("mnist/conv_baseline_s0",)
    assert [one.model_id for one in second.header.built] == ["other/conv"]
    assert len(first.header.reference_times) == 3
    assert [one.experiment for one in second.header.absences] == ["other/conv_qat_s0"]
    assert second.header.reference_times == ()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The system's word for it."""
    with pytest.raises(OptsuiteError, match="No such file or directory; expected the JSON of a run"):
        reader.read(tmp_path / "none.json")
