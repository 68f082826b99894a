"""What rebuilds what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from optsuite import build, experiments
from optsuite.build import Step, canonical
from optsuite.experiments import PROFILES, step_of
from optsuite.models import MODELS
from optsuite.spec import Experiment, OptsuiteError, Profile
from optsuite.variants import VARIANTS


def _steps() -> dict[str, Step]:
    """Every step of the default matrix, by its label."""
    found: dict[str, Step] = {}

    def visit(step: Step) -> None:
        found[step.label] = step
        for parent in step.inputs:
            visit(parent)

    selection = experiments.select()
    for experiment, variant in selection.rows():
        visit(step_of(experiment, variant, PROFILES["full"]))
    return found


def _changed(before: dict[str, Step], after: dict[str, Step]) -> set[str]:
    return {label for label, step in before.items() if step.key != after[label].key}


def test_keys_are_the_same_each_time_and_all_different() -> None:
    """A key depends on what it names, and on nothing else."""
    steps = _steps()
    for step in steps.values():
        assert len(step.key) == 64
    assert _changed(steps, _steps()) == set()
    assert len({step.key for step in steps.values()}) == len(steps)


@pytest.mark.parametrize(
    ("file", "rebuilt"),
    [
        ("stages/prune.py", lambda label: "> prune" in label),
        ("stages/qat.py", lambda label: "> qat" in label),
        ("stages/distill.py", lambda label: "> distill" in label),
        ("stages/train.py", lambda label: True),
        ("convert.py", lambda label: label.rpartition("> ")[2] in VARIANTS),
        ("keras.py", lambda label: True),
        ("build.py", lambda label: True),
        ("weights.py", lambda label: True),
        ("models.py", lambda label: False),
        ("recipes.py", lambda label: False),
        ("variants.py", lambda label: False),
        ("measure.py", lambda label: False),
    ],
)
def test_a_changed_file_rebuilds_its_stage_and_what_follows(
    file: str, rebuilt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stage's module: that stage and its descendants. A shared file: all. A catalogue: nothing."""
    before = _steps()
    expected = {label for label, step in before.items() if step.key and rebuilt(label)}
    real = build._file_sha256
    monkeypatch.setattr(build, "_file_sha256", lambda path: "changed" if path.endswith(file) else real(path))
    assert _changed(before, _steps()) == expected


def test_a_new_entry_rebuilds_nothing_and_another_schedule_only_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catalogue entries stand alone."""
    before = _steps()
    assert all(step.key for step in before.values())
    models = dict(MODELS)
    models["wide"] = replace(models["conv"], name="wide")
    slower = replace(models["dscnn"].finetune, peak_lr=1e-5)
    models["dscnn"] = replace(models["dscnn"], stages={**models["dscnn"].stages, "qat": slower})
    monkeypatch.setattr(experiments, "MODELS", models)
    assert _changed(before, _steps()) == {label for label in before if label.startswith("dscnn s0: train > qat")}


def _conv(**changes: Any) -> Experiment:
    return replace(experiments.select(models=["conv"]).experiments[0], **changes)


def test_what_is_not_in_a_key() -> None:
    """Names and budgets are for people."""
    plain = step_of(_conv(), VARIANTS["int8"], PROFILES["full"])
    renamed = replace(_conv().model, name="other")
    generous = replace(VARIANTS["int8"], budget=0.9)
    assert step_of(_conv(model=renamed), generous, Profile(name="mine", min_budget=1.0)).key == plain.key


def test_what_is_in_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seed, data, profile, the builder's code, the formats and the versions of what builds."""
    full = PROFILES["full"]
    keys = [step_of(_conv(), VARIANTS["int8"], full).key]
    keys.append(step_of(_conv(seed=1), VARIANTS["int8"], full).key)
    keys.append(step_of(_conv(dataset=replace(_conv().dataset, fingerprint="other")), VARIANTS["int8"], full).key)
    keys.append(step_of(_conv(), VARIANTS["int8"], PROFILES["smoke"]).key)
    other_build = replace(_conv().model, build=MODELS["tutorial"].build)
    keys.append(step_of(_conv(model=other_build), VARIANTS["int8"], full).key)
    keys.append(step_of(_conv(), VARIANTS["uint8"], full).key)
    monkeypatch.setattr(build, "builder_versions", lambda: {"tensorflow": "9.9"})
    keys.append(step_of(_conv(), VARIANTS["int8"], full).key)
    assert len(set(keys)) == len(keys)


def test_canonical_refuses_what_has_no_lasting_form() -> None:
    """An object's address would make every run a new key."""
    with pytest.raises(OptsuiteError, match="type object can't be part of a key; accepted are"):
        canonical(object())
