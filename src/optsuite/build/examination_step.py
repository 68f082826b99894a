"""The steps that examine files."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from optsuite.build import sources
from optsuite.build.keys import canonical
from optsuite.build.step import Step
from optsuite.errors import OptsuiteError, UnavailableError
from optsuite.examine.examination import Examination, ExaminationTask, Found
from optsuite.spec.artifact import ABSENT, FINDINGS, TFLITE, Artifact
from optsuite.spec.data import Split
from optsuite.spec.metric import Metric
from optsuite.units import is_number

_loaded: dict[tuple[str, tuple[int, ...]], Split] = {}
"""In a worker: the splits that were loaded there, by their hashes."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What all steps of an examination share.

    Attributes:
        examination: The examination.
        metric: What answers are scored by.
        data_sha256: The SHA-256 of each split that the examination needs, as hex.

    """

    examination: Examination[Any]
    metric: Metric
    data_sha256: Mapping[str, str]

    @functools.cached_property
    def parts(self) -> Mapping[str, Any]:
        """All that determines a result, but for the file."""
        code: list[Any] = [ExaminationStep, type(self.examination)]
        settings = {"examination": canonical(self.examination, code)}
        if self.data_sha256:
            settings |= {"metric": canonical(self.metric, code), "data": dict(self.data_sha256)}
        return {**settings, "code": sources.of(*code), "packages": dict(self.examination.tools())}


@dataclass(frozen=True, kw_only=True)
class ExaminationStep(Step):
    """A step that examines a file. Its key does not name the step that made the file: the file's bytes count.

    Attributes:
        setup: What it shares with the steps of other files.
        file_key: The key of the file's artifact; it is not part of the key.
        file_sha256: The SHA-256 of the file, as hex.

    """

    setup: Setup
    file_key: str
    file_sha256: str

    @functools.cached_property
    def parts(self) -> Mapping[str, Any]:
        return {**self.setup.parts, "file": self.file_sha256}

    def _anew(self) -> ExaminationStep:
        return replace(self, setup=replace(self.setup))

    @property
    def input_keys(self) -> tuple[str, ...]:
        return (self.file_key,)

    @property
    def needs(self) -> tuple[str, ...]:
        return self.setup.examination.needs

    @property
    def sort(self) -> str:
        return "examination"

    @property
    def death(self) -> str:
        return "the process that examined the file was killed twice: the file or the examination may crash or never end"

    def machine(self) -> Mapping[str, str]:
        return self.setup.examination.tools()

    @staticmethod
    def prepare() -> None:
        """Nothing takes long: an examination imports no TensorFlow."""

    def run(self, inputs: Sequence[Artifact], splits: Mapping[str, Split]) -> Artifact:
        content = inputs[0][TFLITE]
        if hashlib.sha256(content).hexdigest() != self.file_sha256:
            raise OptsuiteError("the file changed since the run began; start the run again")
        task = ExaminationTask(
            content=content,
            metric=self.setup.metric,
            splits={name: self._verified(name, splits) for name in self.needs},
        )
        try:
            found = self.setup.examination.run(task)
        except UnavailableError:
            raise
        except OptsuiteError as error:
            return {ABSENT: str(error).encode()}  # as much a function of the file as any figure
        return {FINDINGS: msgspec.json.encode(_checked(found, self.setup.examination))}

    def _verified(self, name: str, splits: Mapping[str, Split]) -> Split:
        """Return a split, which has to be the one that the key was made with."""
        expected = self.setup.data_sha256[name]
        place = expected, self.dataset.input_shape  # the hash is of the values alone
        split = splits.get(name) or _loaded.get(place) or self.split(name)
        if split.sha256 != expected:
            raise OptsuiteError(
                f"the {name} split is not the one that the run began with; expected data that is the same, in the "
                "same order, each time"
            )
        if name not in splits:
            _loaded[place] = split
        return split


def _checked(found: Found, examination: Examination[Found]) -> Found:
    """Refuse figures that the examination does not declare, and what is not a record of its type."""
    if type(found) is not examination.record:
        raise OptsuiteError(f"expected a {examination.record.__name__}, got {found!r:.200}")
    if unknown := set(found.figures) - {figure.name for figure in examination.figures}:
        raise OptsuiteError(f"expected only figures that it declares, got {', '.join(sorted(unknown))}")
    if strange := [name for name, value in found.figures.items() if not is_number(value)]:
        raise OptsuiteError(
            f"expected finite numbers, and integers from -2**53 to 2**53, got others for {', '.join(strange)}"
        )
    if negative := [figure.name for figure in examination.figures if figure.is_negative(found.figures)]:
        raise OptsuiteError(f"expected figures from 0, got less for {', '.join(negative)}")
    return found


def findings(artifact: Artifact, examination: Examination[Found]) -> Found:
    """Read the record of an examination from its artifact; OptsuiteError, which says why, where it has none."""
    if ABSENT in artifact:
        raise OptsuiteError(artifact[ABSENT].decode("utf-8", "replace"))
    try:
        record: Any = msgspec.json.decode(artifact[FINDINGS], type=examination.record)
    except (KeyError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OptsuiteError(f"the findings of {examination.name} can't be read: {error}") from error
    found: Found = record
    return _checked(found, examination)
