"""The scores of a model on the images of a split."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

import numpy as np

from optsuite.errors import OptsuiteError
from optsuite.units import Positive


def _text(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The scores of a model on the images of a split.

    Attributes:
        accuracy: The mean score, whatever the metric.
        count: The number of images.
        bits: For answers that are correct or wrong: base64 of one bit per image, most significant first.
        numbers: For graded answers: base64 of the scores as little-endian float32.

    """

    accuracy: float
    count: Positive
    bits: str = field(default="", repr=False)
    numbers: str = field(default="", repr=False)

    @classmethod
    def of(cls, scores: np.ndarray) -> Answers:
        """Make a record of scores, bool or float32 (count,)."""
        if scores.dtype == bool:
            return cls(accuracy=float(scores.mean()), count=len(scores), bits=_text(np.packbits(scores)))
        stored = scores.astype("<f4")
        return cls(accuracy=float(stored.astype(float).mean()), count=len(stored), numbers=_text(stored))

    @property
    def graded(self) -> bool:
        """Whether scores are numbers, not correct or wrong."""
        return bool(self.numbers)

    def scores(self) -> np.ndarray:
        """Return the scores, bool or float32 (count,); OptsuiteError for another length, ValueError for no base64."""
        if self.graded:
            content, needed = base64.b64decode(self.numbers, validate=True), 4 * self.count
        else:
            content, needed = base64.b64decode(self.bits, validate=True), (self.count + 7) // 8
        if self.graded and self.bits:
            raise OptsuiteError("expected scores as bits or as numbers, got both")
        if len(content) != needed:
            raise OptsuiteError(f"expected {needed} bytes of scores for {self.count} images, got {len(content)}")
        if self.graded:
            return np.frombuffer(content, "<f4")
        return np.unpackbits(np.frombuffer(content, np.uint8), count=self.count).astype(bool)

    def correct(self) -> np.ndarray:
        """Return which images were answered correctly, bool (count,); OptsuiteError for graded answers."""
        if self.graded:
            raise OptsuiteError("expected the answers of a classifier, which are correct or wrong, got graded answers")
        return self.scores()
