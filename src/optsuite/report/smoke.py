"""What to say first of a run of the smoke profile."""

from __future__ import annotations

from optsuite.results.run import Run


def warning(run: Run) -> str:
    """Return what such a run does not show; an empty string for a run of another profile."""
    if run.header.profile != "smoke":
        return ""
    return (
        "This is a run of the smoke profile, which trains two epochs on few inputs: "
        "it shows that everything works, and nothing about which variant is better."
    )
