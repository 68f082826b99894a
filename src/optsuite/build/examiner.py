"""The examiner: examines the files of a run, each once, and finds what was found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError
from pathlib import PurePath
from typing import Any, TextIO

from optsuite.build import running
from optsuite.build.examination_step import ExaminationStep, Setup, findings
from optsuite.build.running import EXAMINING, OpenWorkers
from optsuite.errors import OptsuiteError, first_line
from optsuite.examine import target
from optsuite.examine.examination import Examination, Found
from optsuite.examine.target import Target
from optsuite.results.header import Examined
from optsuite.spec.data import Dataset, Split
from optsuite.spec.experiment import Profile
from optsuite.store.store import Store


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A .tflite file of a store.

    Attributes:
        model: The name of its model.
        dataset: The data that it is examined on.
        seed: The seed of its experiment.
        actions: What made it, as people read it.
        index_name: Its name in the index.
        key: The key of its artifact.
        sha256: The SHA-256 of the file, as hex; empty where it is not built yet.

    """

    model: str
    dataset: Dataset
    seed: int
    actions: tuple[str, ...]
    index_name: PurePath
    key: str
    sha256: str


class Examiner:
    """Examines files of a store by examinations.

    The files have to be in the store: the key of an examination is made of the file's bytes. So all files are built
    first, and then examined.
    """

    def __init__(
        self,
        examinations: Collection[Examination[Any]],
        profile: Profile,
        split: Callable[[Dataset, str], Split],
        store: Store,
        log: Callable[[str], object],
    ) -> None:
        """Prepare to examine; `split` returns a split of a dataset, as much as the profile allows."""
        self._examinations = examinations
        self._profile = profile
        self._split = split
        self._store = store
        self._log = log
        self._failures: dict[str, str] = {}
        self._steps: dict[tuple[str, str, str], ExaminationStep] = {}
        """Fixed once: a file of the user's that is edited while the run goes on changes none of its keys."""
        self._setups: dict[tuple[str, str], Setup] = {}
        self._reasons: dict[str, str] = {}

    def begin(self, datasets: Iterable[Dataset]) -> None:
        """Fix what the keys contain besides the files, before these are built: that may take an hour."""
        for dataset in datasets:
            for examination in self.available():
                _ = self._setup(examination, dataset).parts

    def steps(self, files: Iterable[StoredFile]) -> list[ExaminationStep]:
        """Return the steps that `examine` would do, or find done."""
        return [self._step(file, examination) for file in files for examination in self.available()]

    def examine(self, files: Collection[StoredFile], open_workers: OpenWorkers, stream: TextIO) -> None:
        """Examine the files, unless the store has what there is to find."""
        steps = self.steps(files)
        # Of files that are the same the first is examined, and has the label in a failure's reason.
        labels = {step.key: step.label for step in reversed(steps)}
        name = partial(self._update_index, files)
        failures = running.run(steps, self._store, EXAMINING, open_workers, stream, self._log, name)
        self._failures |= {key: reason.removeprefix(f"{labels[key]}: ") for key, reason in failures.items()}

    def _update_index(self, files: Iterable[StoredFile], failures: Mapping[str, str]) -> None:
        for file in files:
            for step in self.steps([file]):
                if step.key not in failures:
                    name = f"{file.index_name.name}@{step.setup.examination.name}"
                    self._store.point(file.index_name.with_name(name), step.key)

    def available(self) -> list[Examination[Any]]:
        """Return the examinations that this machine can do."""
        return [one for one in self._examinations if not self._unavailable(one)]

    def records(self, targets: Iterable[Target]) -> tuple[Examined, ...]:
        """Return the records of all examinations; `targets` are those that some of them belong to."""
        target_names = target.names(targets)
        return tuple(
            Examined(
                name=one.name,
                figures=tuple(figure.name for figure in one.figures),
                tools={} if self._unavailable(one) else one.tools(),
                target=target_names.get(one.name, ""),
                absent=self._unavailable(one),
            )
            for one in self._examinations
        )

    def find(self, file: StoredFile, examination: Examination[Found]) -> Found:
        """Return what an examination found of a file; OptsuiteError, which says why, where it found nothing."""
        if reason := self._unavailable(examination):
            raise OptsuiteError(reason)
        step = self._step(file, examination)
        if step.key in self._failures:
            raise OptsuiteError(self._failures[step.key])
        artifact = self._store.get(step.key)
        if artifact is None:
            raise OptsuiteError(f"{file.index_name.as_posix()} was not examined by {examination.name}")
        return findings(artifact, examination)

    def _unavailable(self, examination: Examination[Any]) -> str:
        """Return why an examination can't be done on this machine, or an empty string."""
        if examination.name not in self._reasons:
            try:
                examination.tools()
                self._reasons[examination.name] = ""
            except PackageNotFoundError as error:
                self._reasons[examination.name] = f"{error.name} is not installed: pip install {error.name}"
            except OptsuiteError as error:
                self._reasons[examination.name] = first_line(error)
        return self._reasons[examination.name]

    def _step(self, file: StoredFile, examination: Examination[Any]) -> ExaminationStep:
        place = file.key, file.sha256, examination.name
        if place not in self._steps:
            self._steps[place] = ExaminationStep(
                model=file.model,
                seed=file.seed,
                actions=(*file.actions, examination.name),
                dataset=file.dataset,
                profile=self._profile,
                setup=self._setup(examination, file.dataset),
                file_key=file.key,
                file_sha256=file.sha256,
            )
        return self._steps[place]

    def _setup(self, examination: Examination[Any], dataset: Dataset) -> Setup:
        place = examination.name, dataset.name
        if place not in self._setups:
            data = {name: self._split(dataset, name).sha256 for name in examination.needs}
            self._setups[place] = Setup(examination=examination, metric=dataset.metric, data_sha256=data)
        return self._setups[place]
