"""Why each pinned package is there, as docs/reference/dependencies.md: `python tests/dependencies.py` prints it."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
_EXTRAS = ("", "build", "cluster", "micro", "docs", "dev")

# Where it takes part, and what for.
WHY = {
    "ai-edge-litert": ("always", "LiteRT: what is measured, and the schema of .tflite files"),
    "filelock": ("always", "one build at a time on a store; a lock dies with its process"),
    "click": ("always", "the command line"),
    "flatbuffers": ("always", "writes the probe models"),
    "jinja2": ("always", "the template of report.html, escaping all that it is given"),
    "markdown-it-py": ("always", "numbers.md inside of report.html"),
    "matplotlib": ("always", "the figures of report.md"),
    "msgspec": ("always", "reads run.json, pyproject.toml and the build's records, and checks them"),
    "numpy": ("always", "arrays; read without pickle"),
    "pandas": ("always", "tables"),
    "pillow": ("always", "images in report.html, images of a dataset's folder"),
    "plotly": ("always", "the figures of report.html, with its script inside of the page"),
    "pytest": ("always", "the suite is a pytest plugin"),
    "pytest-benchmark": ("always", "rounds, and the JSON"),
    "rich": ("always", "the progress bar"),
    "scipy": ("always", "statistics"),
    "tabulate": ("always", "Markdown tables, through pandas"),
    "litert-quantizer": ("build", "formats below eight bits, from the fp32 file, without TensorFlow"),
    "tensorflow": ("build", "trains, converts; not needed where a copied store is measured"),
    "tensorflow-model-optimization": ("build", "pruning, clustering, QAT"),
    "tf-keras": ("build", "Keras 2, which TFMOT needs"),
    "distributed": ("cluster", "Dask: builds on other machines"),
    "ethos-u-vela": ("micro", "Vela: what a file is on an Ethos-U NPU"),
    "tflite-micro": ("micro", "TensorFlow Lite Micro: what a file is on a microcontroller; may vanish"),
    "furo": ("docs", "the theme of the site"),
    "myst-parser": ("docs", "reads the pages, which are Markdown"),
    "sphinx": ("docs", "makes the site"),
    "sphinx-click": ("docs", "the page of the commands"),
    "sphinx-copybutton": ("docs", "a button on each example that copies it"),
    "hypothesis": ("dev", "mutated input"),
    "import-linter": ("dev", "the order of the rooms"),
    "mypy": ("dev", "types"),
    "pandas-stubs": ("dev", "types"),
    "pytest-xdist": ("dev", "the tests of optsuite on two cores; timing beside it is refused, which is tested"),
    "ruff": ("dev", "lint, format"),
    "scipy-stubs": ("dev", "types"),
    "selenium": ("dev", "report.html in a browser"),
    "types-tabulate": ("dev", "types"),
    "pip": ("set-up", "installs"),
    "setuptools": ("set-up", "builds optsuite"),
}


def _brought_by() -> dict[str, list[str]]:
    """Package -> the installed packages that require it."""
    found: dict[str, set[str]] = {}
    for distribution in importlib.metadata.distributions():
        name = canonicalize_name(distribution.metadata["Name"])
        if name == "tflite-micro":  # it may not be there
            continue
        for line in distribution.requires or ():
            required = Requirement(line)
            extras = _EXTRAS if name == "optsuite" else ("",)
            if not required.marker or any(required.marker.evaluate({"extra": extra}) for extra in extras):
                found.setdefault(canonicalize_name(required.name), set()).add(name)
    return {name: sorted(parents - {"optsuite"}) for name, parents in found.items()}


READ = (
    (
        "run.json, calibrations, pyproject.toml, records of the build",
        "msgspec, tomllib",
        "no; types and ranges are checked, and whether numbers agree with each other",
    ),
    (".npz files", "numpy, with `allow_pickle=False`", "no"),
    ("images", "Pillow", "no"),
    (
        "bundles (`optsuite store import`)",
        "zipfile, msgspec",
        "no; every hash is verified, names are plain, and what is imported is marked for good",
    ),
    (
        ".h5 and .keras models, imported ones and your own",
        "h5py and Keras, after `keras_config.py` has read the configuration",
        "no: Keras calls what a configuration names, so all classes must be known layers, initialisers and the like "
        "of Keras or TFMOT, or registered by your catalogue, and functions of TensorFlow must be known arithmetic. "
        "`Model(trust=True)` lifts that for your own model and what is built from it here, never for what was "
        "imported. Imported weights must be in the file itself: HDF5 reads other files that one names",
    ),
    ("SavedModels", "TensorFlow", "yes; so they need `Model(trust=True)`"),
    (
        ".tflite files",
        "LiteRT, the classes that flatbuffers generates, and for targets TensorFlow Lite Micro and Vela",
        "not by design. They are parsers, most of them in C++, which a damaged file may crash, so a file is examined "
        "in a process of its own before it is timed. We know of no audit of them: measure files of people "
        "that you trust",
    ),
    ("a catalogue file, and what it imports", "Python", "yes: it is as trusted as a conftest.py"),
    (
        "a store's folder that is copied as it is",
        "as what this machine built",
        "its models as those of .h5 files, but `Model(trust=True)` covers them, too: take bundles from others, not "
        "folders",
    ),
    (
        "what a Dask scheduler and its workers send",
        "pickle",
        "yes, on both sides: use a cluster only where you trust all who can reach it",
    ),
    ("what the processes that build here send", "pickle, by multiprocessing's own pipes", "they are the run's own"),
)
"""What is read, by what, and whether it could run code."""


def text() -> str:
    """The page."""
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
    parents = _brought_by()
    lines = [
        "# What is installed, and why",
        "",
        "The versions are those of `constraints.txt`, with which optsuite is tested. Where there is internet,",
        "`pip-audit --requirement constraints.txt --no-deps --disable-pip` asks whether any of them has a known hole.",
        "",
        "## What is read, and what of it could run code",
        "",
        "| what | read by | can it run code? |",
        "|---|---|---|",
        *(f"| {what} | {by} | {code} |" for what, by, code in READ),
        "",
        "## Packages",
        "",
        "| package | version | when | why |",
        "|---|---|---|---|",
    ]
    for name in sorted(pinned, key=str.lower):
        key = canonicalize_name(name)
        if key in WHY:
            when, why = WHY[key]
        else:
            when, why = "", f"needed by {', '.join(parents.get(key, ())) or 'an extra of another'}"
        lines.append(f"| {name} | {pinned[name]} | {when} | {why} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(text(), end="")
