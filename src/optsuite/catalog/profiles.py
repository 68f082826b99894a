"""The profiles: how much work a run spends on each experiment."""

from __future__ import annotations

from optsuite.spec.experiment import Profile
from optsuite.spec.names import by_name

PROFILES = by_name(
    Profile(name="full"),
    # A few seconds per experiment. A model that was trained so briefly only shows that everything works: its gate
    # fails only where a model is broken.
    Profile(
        name="smoke",
        train_images=6_000,
        eval_images=500,
        max_epochs=2,
        max_steps=100,
        max_macs=25_000_000_000,  # 100 steps of 128 images by a network of 2 million: a few seconds
        min_budget=0.5,
        rounds=200,
        slow_examinations=False,
    ),
)
