"""An examination: finds figures of a .tflite file that are a pure function of its bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import ClassVar, Generic, TypeVar

from optsuite.results.examined import Findings
from optsuite.results.figures import Figure
from optsuite.spec.data import Split
from optsuite.spec.metric import Metric

Found = TypeVar("Found", bound=Findings)


@dataclass(frozen=True, kw_only=True)
class ExaminationTask:
    """What an examination is given.

    Attributes:
        content: The content of the .tflite file.
        metric: What answers are scored by.
        splits: The data that the examination needs, by name: as much as the profile allows.

    """

    content: bytes = field(repr=False)
    metric: Metric
    splits: Mapping[str, Split] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Examination(ABC, Generic[Found]):
    """Finds figures of a .tflite file. Subclasses are frozen dataclasses of settings, one module each.

    The result is kept and reused, so it must depend only on the task, the settings and `tools`. An examination runs in
    another process. It must not import TensorFlow, and it must not time anything.

    Attributes:
        name: The name, for options, tables and file names.

    """

    name: str
    needs: ClassVar[tuple[str, ...]] = ()
    """The splits that it needs, such as ("test",)."""
    packages: ClassVar[tuple[str, ...]] = ()
    """The installed packages whose version takes part in the result."""
    slow: ClassVar[bool] = False
    """Whether the smoke profile leaves it out where its target is not named."""
    record: ClassVar[type[Findings]] = Findings
    """The type of what it returns."""

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The declarations of the figures that it finds."""
        return ()

    def tools(self) -> Mapping[str, str]:
        """Return what of this machine takes part in the result: by default the versions of `packages`.

        Raises:
            OptsuiteError: The machine lacks what the examination needs; the message says how to get it.
            PackageNotFoundError: One of `packages` is not installed.

        """
        return {package: version(package) for package in self.packages}

    @abstractmethod
    def run(self, task: ExaminationTask) -> Found:
        """Examine a file.

        Raises:
            OptsuiteError: The file can't be examined; the message, which says why, is kept as the result.
            UnavailableError: Something else than the file is the cause; nothing is kept, and the next run tries again.

        """
