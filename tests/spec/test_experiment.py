"""The catalogue helper and the vocabulary's own rules."""

from __future__ import annotations

import pytest

from optsuite.catalog.datasets import DATASETS
from optsuite.catalog.profiles import PROFILES
from optsuite.errors import OptsuiteError
from optsuite.spec.experiment import Profile
from optsuite.spec.model import Schedule
from optsuite.spec.names import by_name, pick
from optsuite.spec.task import Task
from optsuite.stages.fit import total_steps


def test_pick_keeps_the_catalogues_order() -> None:
    """Tables come in report order, however the user typed the names."""
    assert [profile.name for profile in pick(PROFILES, ["smoke", "full"], "profile")] == ["full", "smoke"]


def test_pick_names_what_is_expected() -> None:
    """A wrong name is answered with the right ones."""
    with pytest.raises(OptsuiteError, match="unknown profile 'huge'; expected one of full, smoke"):
        pick(PROFILES, ["huge"], "profile")


@pytest.mark.parametrize("name", ["", "../up", "a b", "a/b", "-x", "a\0", "<b>"])
def test_catalogue_refuses_names_that_can_not_be_paths_and_ids(name: str) -> None:
    """Names become file names and test ids."""
    with pytest.raises(OptsuiteError, match="expected a name of letters"):
        by_name(Profile(name=name))


def test_catalogue_refuses_a_name_twice() -> None:
    """The second would replace the first in silence."""
    with pytest.raises(OptsuiteError, match="twice"):
        by_name(Profile(name="a"), Profile(name="a"))


@pytest.mark.parametrize(("cap", "epochs"), [(None, 8), (2, 2), (20, 8)])
def test_a_profile_only_ever_shortens(cap: int | None, epochs: int) -> None:
    """`max_epochs` is a cap, not a number of epochs."""
    assert Profile(name="p", max_epochs=cap).epochs(Schedule(epochs=8, peak_lr=1.0)) == epochs


@pytest.mark.parametrize(("batch", "epochs", "steps"), [(16, 8, 100), (16, 1, 100), (128, 8, 92), (6_000, 2, 2)])
def test_a_profile_caps_optimiser_steps(batch: int, epochs: int, steps: int) -> None:
    """The smoke profile has 6,000 images and two epochs, and at most 100 steps over them, however small the batch."""
    profile, dataset = PROFILES["smoke"], DATASETS["mnist"]
    schedule = Schedule(epochs=profile.epochs(Schedule(epochs=epochs, peak_lr=1.0)), peak_lr=1.0, batch=batch)
    splits = {"train": profile.split(dataset, "train")}
    task = Task(dataset=dataset, splits=splits, seed=0, schedule=schedule, max_steps=profile.max_steps)
    assert total_steps(task) == steps


@pytest.mark.parametrize(("macs", "steps"), [(1_500_000, 92), (10_000_000, 18), (10**9, 10)])
def test_a_profile_caps_multiply_accumulates(macs: int, steps: int) -> None:
    """A larger network is trained for fewer steps, at least ten: 25 G MACs are 19 batches of 128 at 10 M MACs each."""
    profile, dataset = PROFILES["smoke"], DATASETS["mnist"]
    task = Task(
        dataset=dataset,
        splits={"train": profile.split(dataset, "train")},
        seed=0,
        schedule=Schedule(epochs=2, peak_lr=1.0),
        max_steps=profile.max_steps,
        max_macs=profile.max_macs,
    )
    task.limit(macs)
    assert total_steps(task) == steps
    task.max_macs = task.max_steps = None
    task.limit(macs)
    assert task.max_steps is None
