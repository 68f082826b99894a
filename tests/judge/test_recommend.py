"""What to ship: the choice, its certainty, and what is said where nothing is within the limits."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from runs import answers, benchmark, built
from scipy.stats import binom

from optsuite.__main__ import main
from optsuite.errors import OptsuiteError
from optsuite.judge import recommend
from optsuite.judge.limits import Limits, OtherLimit
from optsuite.judge.recommend import Choice, Preference, choose
from optsuite.report.choice import text
from optsuite.results import reader, run
from optsuite.results.figures import Figure

Write = Callable[[Any], Path]

COUNT = 1_000

# name -> (validation images wrong, bytes, median in us)
ROWS = {
    "best": (5, 40_000, 40),
    "near": (7, 20_000, 20),
    "quick": (9, 21_000, 10),
    "small": (20, 8_000, 12),
    "smaller": (40, 6_000, 8),
}


@pytest.fixture
def rows(run_json: dict[str, Any], write_run: Write) -> list[run.Row]:
    """The rows of `ROWS`, each an int8 file; the images that one gets wrong, all worse ones do too."""
    header = run_json["optsuite"]
    header["built"] = [built("m", name, id=name) for name in ROWS]
    header["experiments"] = list(ROWS)
    run_json["benchmarks"] = []
    for name, (wrong, size, median_us) in ROWS.items():
        one = benchmark(name, "int8", scale=median_us / 50.5)
        one["extra_info"]["optsuite"] |= {"validation": answers(COUNT, range(wrong)), "bytes": size}
        run_json["benchmarks"].append(one)
    return recommend.candidates(reader.read(write_run(run_json)))


def _names(choice: Choice) -> list[str]:
    return [one.row.measured.experiment for one in choice.ranked]


@pytest.mark.parametrize(
    ("limits", "preference", "expected"),
    [
        (Limits(), "quality", ["best", "near", "quick", "small", "smaller"]),
        (Limits(), "balanced", ["quick", "near", "best", "small", "smaller"]),  # 0.21, 0.4, 1.6 s x bytes
        (Limits(), "compact", ["small", "near", "quick", "best", "smaller"]),  # smaller is 3.5 points off
        (Limits(max_bytes=20_000), "quality", ["near", "small", "smaller"]),
        (Limits(max_bytes=19_999), "quality", ["small", "smaller"]),
        (Limits(max_latency_s=10.1e-6), "quality", ["quick", "smaller"]),
        (Limits(min_accuracy=0.98), "compact", ["small", "near", "quick", "best"]),  # exactly the limit
        (Limits(min_accuracy=0.981), "compact", ["near", "quick", "best"]),
        (Limits(max_bytes=25_000, max_latency_s=15e-6, min_accuracy=0.99), "quality", ["quick"]),
        (Limits(max_bytes=8_000), "compact", ["smaller", "small"]),  # of what is within, it is 2 points off
        (Limits(max_bytes=7_999, min_accuracy=0.97), "quality", []),
    ],
)
def test_the_choice(rows: list[run.Row], limits: Limits, preference: Preference, expected: list[str]) -> None:
    """Golden: what is within the limits, best first."""
    choice = choose(rows, limits, preference)
    assert _names(choice) == expected
    assert len(choice.ranked) + len(choice.fallen) == len(rows)


@pytest.mark.parametrize(
    ("better", "bound", "expected", "near"),
    [
        ("lower", 300, ["near", "small", "smaller"], []),
        ("lower", 0, ["smaller"], []),
        ("higher", 300, ["best", "near"], []),
        ("higher", 1000, [], [("best", 0.5)]),
    ],
)
def test_another_figure_is_limited(
    rows: list[run.Row], better: Literal["lower", "higher"], bound: float, expected: list[str], near: list[Any]
) -> None:
    """Golden: at most or at least so much, by its direction; what has no such figure is not within the limit."""
    cycles = {"best": 500.0, "near": 300.0, "small": 200.0, "smaller": 0.0}
    figure = Figure(name="cycles", label="cycles", unit="", better=better)
    values = {(name, "int8"): value for name, value in cycles.items()}
    limits = Limits(others={"cycles": OtherLimit(figure=figure, bound=bound, values=values)})
    choice = choose(rows, limits)
    assert _names(choice) == expected
    assert [(one.row.measured.experiment, one.excess) for one in choice.near] == near
    assert next(one.misses for one in choice.fallen if one.row.measured.experiment == "quick") == ("cycles",)
    shown = text(choice, everything=True)
    assert f"cycles at {'most' if better == 'lower' else 'least'} {bound:,}" in shown
    assert "quick int8: beyond the limit of cycles (no such figure)" in shown


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("cycles=1", "unknown figure 'cycles'; expected one of gzip_bytes, parameters, macs"),
        ("accuracy=0.9", "unknown figure 'accuracy'"),
        ("macs", "--limit: expected FIGURE=NUMBER, got 'macs'"),
        ("macs=many", "expected a number from 0, such as 500000, got 'many'"),
    ],
)
def test_a_limit_that_is_none(
    option: str, message: str, run_json: dict[str, Any], write_run: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, and one line."""
    assert main(["recommend", str(write_run(run_json)), "--limit", option]) == 2
    assert message in capsys.readouterr().err


def test_the_command_limits_any_figure(
    run_json: dict[str, Any], write_run: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that every row has, too."""
    path = str(write_run(run_json))
    assert main(["recommend", path, "--limit", "macs=5000", "--limit", "gzip_bytes=1500"]) == 0
    assert "within the limits: MACs at most 5,000, size after gzip at most 1,500 bytes." in capsys.readouterr().out
    assert main(["recommend", path, "--limit", "macs=4999"]) == 1
    assert "MACs at most 4,999: " in capsys.readouterr().out


def test_ties_go_to_the_more_accurate_then_the_smaller_and_faster(run_json: dict[str, Any], write_run: Write) -> None:
    """The small one that is slow in this run by chance is no reason to ship the worse."""
    wanted = {"a": (1, 10, 2), "b": (2, 10, 1), "c": (1, 10, 1), "d": (1, 9, 9)}
    run_json["optsuite"]["built"] = [built("m", name, id=name) for name in wanted]
    run_json["optsuite"]["experiments"] = list(wanted)
    run_json["benchmarks"] = [
        benchmark(name, "int8", range(wrong), scale) for name, (wrong, _, scale) in wanted.items()
    ]
    for one, (_, size, _) in zip(run_json["benchmarks"], wanted.values(), strict=True):
        one["extra_info"]["optsuite"]["bytes"] = size
    found = recommend.candidates(reader.read(write_run(run_json)))
    assert _names(choose(found, Limits(), "compact")) == ["d", "c", "a", "b"]
    assert _names(choose(found, Limits(), "quality")) == ["d", "c", "a", "b"]


def test_what_fell_out_says_why(rows: list[run.Row]) -> None:
    """Every limit that it misses."""
    choice = choose(rows, Limits(max_bytes=30_000, max_latency_s=11e-6, min_accuracy=0.97))
    assert {one.row.measured.experiment: one.misses for one in choice.fallen} == {
        "best": ("size", "latency"),
        "near": ("latency",),
        "small": ("latency",),
        "smaller": ("accuracy",),
    }


def test_certainty_is_the_share_of_resamples(rows: list[run.Row]) -> None:
    """Two images lie between the best and the next: how often they are not drawn is known."""
    choice = choose(rows, Limits())
    best, second, *others = choice.ranked
    # "best" is beaten only where neither image was drawn, and then ties; a tie goes to the smaller.
    assert second.certainty == pytest.approx((1 - 2 / COUNT) ** COUNT, abs=0.04)
    assert best.certainty + second.certainty + sum(one.certainty for one in others) == pytest.approx(1)


def test_certainty_is_exact_at_a_limit(run_json: dict[str, Any], write_run: Write) -> None:
    """480 of 500 are 0.96, whichever way float32 would round that: half the resamples and those at the limit."""
    run_json["benchmarks"] = run_json["benchmarks"][:1]
    run_json["benchmarks"][0]["extra_info"]["optsuite"]["validation"] = answers(500, range(20))
    found = recommend.candidates(reader.read(write_run(run_json)))
    certainty = choose(found, Limits(min_accuracy=0.96)).ranked[0].certainty
    assert certainty == pytest.approx(binom.cdf(20, 500, 0.04), abs=0.04)


def test_certainty_counts_the_limits_too(rows: list[run.Row]) -> None:
    """An accuracy that is just met is not met in half of the resamples; a latency by so many of its rounds."""
    alone = [row for row in rows if row.measured.experiment == "small"]
    choice = choose(alone, Limits(min_accuracy=0.98))
    assert 0.45 < choice.ranked[0].certainty < 0.65
    just = choose(alone, Limits(max_latency_s=alone[0].timing.median_s))
    assert 0.4 < just.ranked[0].certainty < 0.6


def test_a_run_without_rounds(run_json: dict[str, Any], write_run: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """--benchmark-autosave keeps none: the images are resampled, the latencies taken as they are, and it is said."""
    for one in run_json["benchmarks"]:
        one["stats"]["data"] = []
    path = write_run(run_json)
    choice = choose(recommend.candidates(reader.read(path)), Limits(max_latency_s=30e-6))
    assert not choice.timed
    assert sum(one.certainty for one in choice.ranked) == pytest.approx(1)  # no latency left its limit
    assert main(["recommend", str(path), "--max-latency", "30us"]) == 0
    assert "so the share ignores the uncertainty of latencies" in capsys.readouterr().out


@pytest.mark.parametrize("count", [1, 2, 5, 100, 101])
def test_medians_of_resamples_are_distributed_as_drawing_says(count: int) -> None:
    """Against drawing with replacement itself: the same quartiles."""
    rounds = np.random.default_rng(count).exponential(size=count)
    found = recommend._medians(rounds.tolist(), np.random.default_rng(0))
    drawn = np.median(np.random.default_rng(1).choice(rounds, (20_000, count)), axis=1)
    spread = drawn.std() + 1e-12
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        assert (
            abs(
                (found <= np.quantile(drawn, share) + 1e-12).mean()
                - (drawn <= np.quantile(drawn, share) + 1e-12).mean()
            )
            < 0.05
        )
    assert abs(found.mean() - drawn.mean()) < 0.2 * spread + 1e-9


def test_where_nothing_is_within_the_limits(
    run_json: dict[str, Any], write_run: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 1, and for each limit what would be if it alone were changed, nearest first."""
    run_json["benchmarks"][3]["extra_info"]["optsuite"]["bytes"] = 3_000
    path = write_run(run_json)
    assert main(["recommend", str(path), "--max-size", "2500", "--max-latency", "22us"]) == 1
    said = capsys.readouterr().out
    assert "0 of 4 variants are within the limits: size at most 2,500 bytes, median call at most 22.0 µs." in said
    latency = said.index("median call at most 22.0 µs: conv_baseline_s0 int8 has 25.2 µs, 14.8 % longer than allowed")
    size = said.index("size at most 2,500 bytes: conv_qat_s0 int8 has 3,000 bytes, 20.0 % larger than allowed")
    assert latency < size
    assert main(["recommend", str(path), "--max-size", "100B", "--max-latency", "1us"]) == 1
    assert capsys.readouterr().out.count(" conv_baseline_s0 int8 has ") == 2  # what exceeds both least
    run_json["benchmarks"] = run_json["benchmarks"][1:2]
    assert main(["recommend", str(write_run(run_json)), "--min-accuracy", "1"]) == 1
    assert (
        "accuracy at least 1: conv_baseline_s0 int8 has 0.9900, 1.00 points less than requested"
        in capsys.readouterr().out
    )


def test_the_command(run_json: dict[str, Any], write_run: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """It chooses by the validation images and shows the test's; --all lists what fell out."""
    wrong = answers(wrong=range(3))
    run_json["benchmarks"][1]["extra_info"]["optsuite"]["validation"] = wrong
    path = write_run(run_json)
    assert main(["recommend", str(path), "--max-size", "3KB", "--max-latency", "30us"]) == 0
    said = capsys.readouterr().out
    assert "2 of 4 variants are within the limits" in said
    lines = [line for line in said.splitlines() if line.startswith("conv_")]
    assert re.split("  +", lines[0]) == [
        *("conv_qat_s0 int8", "99.5 %", "0.9900", "0.9900", "2.0 KB", "1.5 KB", "20.2 µs")
    ]
    assert "The 95 % interval of the test accuracy of conv_qat_s0 int8 is 0.9455 to 0.9982.\n" in said
    assert lines[1].startswith("conv_baseline_s0 int8")
    assert "Preference quality: the most accurate file on the validation set.\n" in said
    assert "The others: 1 is too large and too slow, 1 is too slow. --all lists them." in said
    assert main(["recommend", str(path), "--prefer", "balanced"]) == 0
    rule = (
        "Preference balanced: among the files at most 0.5 points less accurate than the best on the validation set, "
        "the one with the smallest size x latency. "
    )
    assert rule in " ".join(capsys.readouterr().out.split())
    assert main(["recommend", str(path), "--max-size", "3KB", "--all"]) == 0
    assert "conv_baseline_s0 fp32: too large (4,000 bytes)" in capsys.readouterr().out
    assert main(["recommend", str(path), "--variants", "fp32"]) == 0
    said = capsys.readouterr().out
    assert "1 of 1 variants is within the limits: none given." in said
    assert "more are within" not in said
    run_json["optsuite"]["built"].append(built("dscnn", "qat"))
    run_json["optsuite"]["experiments"].append("dscnn_qat_s0")
    run_json["benchmarks"].append(benchmark("dscnn_qat_s0", "int8"))
    assert main(["recommend", str(write_run(run_json)), "--models", "dscnn"]) == 0
    assert "1 of 1 variants is within the limits: none given." in capsys.readouterr().out
    run_json["benchmarks"].pop()
    more = [built("conv", "qat", id=f"conv_qat_s{seed}", seed=seed) for seed in range(1, 6)]
    run_json["optsuite"]["built"] += more
    run_json["optsuite"]["experiments"] += [one["id"] for one in more]
    run_json["benchmarks"] += [benchmark(one["id"], "int8") for one in more]
    assert main(["recommend", str(write_run(run_json))]) == 0
    assert "\n3 more are within the limits: --all prints them." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--max-size", "40 potatoes"), "expected a number over 0 with a unit (no unit, B, KB, MB), got '40 potatoes'"),
        (("--max-size", "0"), "expected a number over 0"),
        (("--max-size", "-1KB"), "expected a number over 0"),
        (("--max-size", "nan"), "expected a number over 0"),
        (("--max-latency", "30"), "expected a number over 0 with a unit (ns, us, µs, ms, s), got '30'"),
        (("--min-accuracy", "98"), "expected a fraction from 0 to 1, such as 0.98, got '98'"),
        (("--min-accuracy", "nan"), "expected a fraction"),
        (("--models", "vgg"), "unknown models vgg; expected some of conv"),
        (("--variants", "int4"), "unknown variants int4; expected some of fp32, int8, int16x8"),
    ],
)
def test_what_can_not_be_used(
    arguments: tuple[str, str],
    message: str,
    run_json: dict[str, Any],
    write_run: Write,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line, exit 2."""
    option, value = arguments
    assert main(["recommend", str(write_run(run_json)), f"{option}={value}"]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_nothing_was_measured(run_json: dict[str, Any], write_run: Write) -> None:
    """No choice is no pass."""
    run_json["benchmarks"] = []
    with pytest.raises(OptsuiteError, match=r"expected a run with \.tflite files to choose from"):
        choose(recommend.candidates(reader.read(write_run(run_json))), Limits())
