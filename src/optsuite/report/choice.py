"""The text of `optsuite recommend`."""

from __future__ import annotations

from collections import Counter

from optsuite.judge import intervals
from optsuite.judge.limits import KnownFigure, Limit, Limits, Place
from optsuite.judge.recommend import MARGINS, RESAMPLES, Choice, Near, Preference, RankedRow
from optsuite.results.figures import BYTES
from optsuite.results.run import Row
from optsuite.terminal import table, wrapped
from optsuite.units import kilobytes, microseconds

_RUNNERS_UP = 5

RULES: dict[Preference, str] = {
    "quality": "the most accurate file on the validation set",
    "balanced": f"among the files at most {100 * MARGINS['balanced']:g} points less accurate than the best on the "
    "validation set, the one with the smallest size x latency",
    "compact": f"among the files at most {100 * MARGINS['compact']:g} points less accurate than the best on the "
    "validation set, the smallest",
}
"""The rule of each preference, in words."""

_MISSED: dict[Limit, str] = {"size": "too large", "latency": "too slow", "accuracy": "not accurate enough"}
_BEYOND: dict[Limit, str] = {"size": "larger", "latency": "longer"}


def text(choice: Choice, *, everything: bool) -> str:
    """The best and the runners-up, how sure that is, and why the others fell out."""
    limits = ", ".join(_limits(choice.limits).values()) or "none given"
    within, every = len(choice.ranked), len(choice.ranked) + len(choice.fallen)
    parts = [wrapped(f"{within} of {every} variants{_where(choice)} {_are(within)} within the limits: {limits}.")]
    if choice.ranked:
        shown = choice.ranked if everything else choice.ranked[: 1 + _RUNNERS_UP]
        rule = f"Preference {choice.preference}: {RULES[choice.preference]}."
        more = within - len(shown)
        rest = f"\n{more} more {_are(more)} within the limits: --all prints {_them(more)}." if more else ""
        parts += [wrapped(rule + _costs(choice)), _table(shown, choice) + rest, wrapped(_certainty(choice))]
    else:
        nearest = "\n".join(_near(near, choice.limits) for near in choice.near)
        parts += [f"Nearest:\n{wrapped(nearest, hanging=2)}"]
    if choice.fallen:
        parts.append(wrapped(_fallen(choice, everything=everything), hanging=2 if everything else 0))
    if choice.place and choice.misplaced:
        parts.append(wrapped(_misplaced(choice, choice.place, everything=everything), hanging=2))
    return "\n\n".join(parts)


def _where(choice: Choice) -> str:
    return f" that run on {choice.place.name}" if choice.place else ""


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _them(count: int) -> str:
    return "it" if count == 1 else "them"


def _misplaced(choice: Choice, place: Place, *, everything: bool) -> str:
    """Why other variants do not run on the target: an operator on the CPU, or what its examinations say."""
    reasons = {name(row): "; ".join(place.reasons(row)) for row in choice.misplaced}
    if everything:
        return "\n".join(f"{row}: does not run on {place.name}: {reason}" for row, reason in reasons.items())
    counts = Counter(reasons.values())
    lines = [f"{count}: {reason}" for reason, count in counts.most_common()]
    one = len(reasons) == 1
    do, their = ("does", "its") if one else ("do", "their")
    text = f"{len(reasons)} more {do} not run on {place.name}, or not all of {their} operators do.\n"
    return text + "\n".join(lines)


def _costs(choice: Choice) -> str:
    """What size and latency are on a target."""
    if choice.place is None:
        return ""
    size = "size of the file" if choice.place.size.figure == BYTES else choice.place.size.figure.label
    return f"\nSize means the {size}, and latency means the {choice.place.second.figure.label}."


def name(row: Row) -> str:
    """Experiment and variant."""
    return f"{row.measured.experiment} {row.measured.variant}"


def _limits(limits: Limits) -> dict[Limit, str]:
    found: dict[Limit, str] = {}
    if limits.max_bytes is not None:
        found["size"] = f"size at most {limits.max_bytes:,} bytes"
    if limits.max_latency_s is not None:
        found["latency"] = f"median call at most {microseconds(limits.max_latency_s)}"
    if limits.min_accuracy is not None:
        found["accuracy"] = f"validation accuracy at least {limits.min_accuracy:g}"
    for name, other in limits.others.items():
        at = "most" if other.figure.better == "lower" else "least"
        found[name] = f"{other.figure.label} at {at} {other.figure.text(other.bound)}"
    return found


def _table(candidates: tuple[RankedRow, ...], choice: Choice) -> str:
    """What is known of the candidates: their costs on the target, or else here, and what is limited."""
    lines = []
    place, limits = choice.place, choice.limits
    others: dict[str, KnownFigure] = {one.figure.resource: one for one in place.resources} if place else {}
    shown = {one.figure.name for one in others.values()}
    others |= {name: one for name, one in limits.others.items() if name not in shown}
    for candidate in candidates:
        measured = candidate.row.measured
        cells = {
            "": name(candidate.row),
            "best in": f"{100 * candidate.certainty:.1f} %",
            "validation": f"{measured.validation.accuracy:.4f}",
            "test": f"{measured.test.accuracy:.4f}",
        }
        if place is None or place.size.figure == BYTES:
            cells["size"] = kilobytes(measured.bytes)
        if place is None:
            cells["gzip"] = kilobytes(measured.gzip_bytes)
            cells["median"] = microseconds(candidate.row.timing.median_s)
        lines.append(cells | {name: _short(one, candidate.row) for name, one in others.items()})
    return table(lines)


def _short(known: KnownFigure, row: Row) -> str:
    """A figure in a cell of the table, with sizes in KB as those of files are."""
    value = known.value(row)
    return _known(known, row) if value is None or known.figure.unit != "bytes" else kilobytes(value)


def _certainty(choice: Choice) -> str:
    best = choice.ranked[0].row
    low, high = intervals.accuracy(best.measured.test)
    here = choice.place is None
    what = "the validation set and of the rounds" if choice.timed and here else "the validation set"
    text = f"`best in` is the share of {RESAMPLES:,} resamples of {what} in which it comes out best"
    if not choice.timed and here:
        text += "; the JSON does not contain the time of each call, so the share ignores the uncertainty of latencies"
    nothing = 1 - sum(candidate.certainty for candidate in (*choice.ranked, *choice.fallen))
    if nothing > 1e-9:
        text += f"; in {100 * nothing:.1f} % nothing is within the limits"
    return f"{text}.\nThe 95 % interval of the test accuracy of {name(best)} is {low:.4f} to {high:.4f}."


def _near(near: Near, limits: Limits) -> str:
    found = _figure(near.row, near.limit, limits)
    return f"{_limits(limits)[near.limit]}: {name(near.row)} has {found}, {_beyond(near, limits)}"


def _beyond(near: Near, limits: Limits) -> str:
    if near.limit == "accuracy" and limits.min_accuracy is not None:
        return f"{100 * (limits.min_accuracy - near.row.measured.validation.accuracy):.2f} points less than requested"
    return f"{100 * near.excess:.1f} % {_BEYOND.get(near.limit, 'worse')} than allowed"


def _figure(row: Row, limit: Limit, limits: Limits) -> str:
    if limit in limits.others:
        return _known(limits.others[limit], row)
    return {
        "size": f"{row.measured.bytes:,} bytes",
        "latency": microseconds(row.timing.median_s),
        "accuracy": f"{row.measured.validation.accuracy:.4f}",
    }[limit]


def _known(known: KnownFigure, row: Row) -> str:
    value = known.value(row)
    return "no such figure" if value is None else known.figure.text(value)


def _missed(limit: Limit) -> str:
    return _MISSED.get(limit, f"beyond the limit of {limit}")


def _fallen(choice: Choice, *, everything: bool) -> str:
    if everything:
        return "\n".join(
            f"{name(one.row)}: "
            + ", ".join(f"{_missed(limit)} ({_figure(one.row, limit, choice.limits)})" for limit in one.misses)
            for one in choice.fallen
        )
    counts = Counter(one.misses for one in choice.fallen)
    lines = [f"{count} {_are(count)} {' and '.join(map(_missed, misses))}" for misses, count in counts.most_common()]
    return "The others: " + ", ".join(lines) + ". --all lists them."
