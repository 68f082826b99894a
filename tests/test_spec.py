"""The catalogue helper and the vocabulary's own rules."""

from __future__ import annotations

import pytest

from optsuite.experiments import PROFILES
from optsuite.spec import OptsuiteError, Profile, Schedule, catalogue, pick


def test_pick_keeps_the_catalogues_order() -> None:
    """Tables come in report order, however the user typed the names."""
    assert [profile.name for profile in pick(PROFILES, ["smoke", "full"], "profile")] == ["full", "smoke"]


def test_pick_names_what_is_accepted() -> None:
    """A wrong name is answered with the right ones."""
    with pytest.raises(OptsuiteError, match="unknown profile 'huge'; accepted: full, smoke"):
        pick(PROFILES, ["huge"], "profile")


@pytest.mark.parametrize("name", ["", "../up", "a b", "a/b", "-x", "a\0", "<b>"])
def test_catalogue_refuses_names_that_can_not_be_paths_and_ids(name: str) -> None:
    """Names become file names and test ids."""
    with pytest.raises(OptsuiteError, match="accepted are letters"):
        catalogue(Profile(name=name))


def test_catalogue_refuses_a_name_twice() -> None:
    """The second would replace the first in silence."""
    with pytest.raises(OptsuiteError, match="twice"):
        catalogue(Profile(name="a"), Profile(name="a"))


@pytest.mark.parametrize(("cap", "epochs"), [(None, 8), (2, 2), (20, 8)])
def test_a_profile_only_ever_shortens(cap: int | None, epochs: int) -> None:
    """`max_epochs` is a cap, not a number of epochs."""
    assert Profile(name="p", max_epochs=cap).epochs(Schedule(epochs=8, peak_lr=1.0)) == epochs
