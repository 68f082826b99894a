"""Judgements; no printing."""

from __future__ import annotations

from dataclasses import dataclass

from optsuite.records import Answers
from optsuite.spec import OptsuiteError


@dataclass(frozen=True, kw_only=True)
class Drop:
    """What a candidate lost against its reference on the same `count` images."""

    reference: float
    candidate: float
    count: int
    lost: int
    """Images that the reference gets right and the candidate wrong."""
    gained: int
    """Images that the candidate gets right and the reference wrong."""

    @property
    def value(self) -> float:
        """Accuracy of the reference minus the candidate's, a fraction; negative where the candidate is better."""
        return (self.lost - self.gained) / self.count

    def over(self, budget: float) -> bool:
        """Whether the drop is more than `budget`, a fraction. Counted in images: no rounding error decides."""
        return self.lost - self.gained > budget * self.count + 1e-6

    def __str__(self) -> str:
        return (
            f"{self.reference:.4f} -> {self.candidate:.4f}, drop {self.value:.4f} "
            f"({self.lost} of {self.count} images right to wrong, {self.gained} wrong to right)"
        )


def paired(reference: Answers, candidate: Answers) -> Drop:
    """The drop, image by image; OptsuiteError where the two did not see the same number of images."""
    if reference.count != candidate.count:
        raise OptsuiteError(f"{reference.count} and {candidate.count} images can't be paired")
    before, after = reference.right(), candidate.right()
    return Drop(
        reference=reference.accuracy,
        candidate=candidate.accuracy,
        count=reference.count,
        lost=int((before & ~after).sum()),
        gained=int((after & ~before).sum()),
    )
