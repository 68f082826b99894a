"""What to say first of a run of the smoke profile."""

from __future__ import annotations

from optsuite.results.run import Run


def warning(run: Run) -> str:
    """Return what such a run shows and what it does not; an empty string for a run of another profile."""
    if run.header.profile != "smoke":
        return ""
    return (
        "This is a run of the smoke profile, which trains at most two epochs on few inputs: it shows that everything "
        "works. Sizes and latencies are valid. Accuracies are not, except that of the baseline of a model that was "
        "given as a trained file."
    )
