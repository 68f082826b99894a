"""The records of measured rows, made of what was built, found out by examinations, and timed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from optsuite.build.examiner import Examiner, StoredFile
from optsuite.catalog.examinations import ACCURACY, KERNELS, NEEDED, RUNTIME, SIZE
from optsuite.errors import OptsuiteError, first_line
from optsuite.examine.examination import Examination, Found
from optsuite.measure.startup import Startup
from optsuite.results.examined import Answered, Contents, Graph, Sizes
from optsuite.results.kernels import LayerWeights
from optsuite.results.measured import Execution, Measured
from optsuite.results.model import ModelInfo
from optsuite.spec.artifact import Artifact
from optsuite.spec.data import Split
from optsuite.spec.variant import Variant
from optsuite.stages import finish
from optsuite.stages.convert import Convert


@dataclass(frozen=True, kw_only=True)
class FileFindings:
    """What all examinations found of a file.

    Attributes:
        answered: Its answers.
        contents: Its kernels.
        graph: What the runtime makes of its graph.
        sizes: Its sizes.
        others: What the other examinations found.

    """

    answered: Answered
    contents: Contents
    graph: Graph
    sizes: Sizes
    others: Others


@dataclass(frozen=True, kw_only=True)
class Others:
    """What the examinations found of a file that not every row needs.

    Attributes:
        figures: The figures.
        notes: Their notes.
        unexamined: The name of one that failed -> why.

    """

    figures: Mapping[str, int | float]
    notes: tuple[str, ...]
    unexamined: Mapping[str, str]


def model_info(artifact: Artifact, split: Callable[[str], Split]) -> ModelInfo:
    """Return the record of a built model; `split` returns the data of this run.

    Raises:
        OptsuiteError: Another version of optsuite built it, or it was built with other data.

    """
    try:
        info = finish.model_info(artifact)
    except msgspec.ValidationError as error:
        raise OptsuiteError(
            f"built by another version of optsuite ({error}); build again, and copy the folder"
        ) from error
    if other := [name for name, sha256 in info.data_sha256.items() if split(name).sha256 != sha256]:
        raise OptsuiteError(
            f"the {' and the '.join(other)} split is not the one that the model was built with; expected data "
            "that is the same, in the same order, each time; data that changed needs a new fingerprint"
        )
    return info


def findings(examiner: Examiner, file: StoredFile) -> FileFindings:
    """Gather what was found of a file.

    Raises:
        OptsuiteError: One of the examinations that every row needs failed.

    """
    return FileFindings(
        answered=needed(examiner, file, ACCURACY),
        contents=needed(examiner, file, KERNELS),
        graph=needed(examiner, file, RUNTIME),
        sizes=needed(examiner, file, SIZE),
        others=others(examiner, file),
    )


def others(examiner: Examiner, file: StoredFile) -> Others:
    """Gather what the examinations found of a file that not every row needs."""
    figures: dict[str, int | float] = {}
    notes: list[str] = []
    unexamined: dict[str, str] = {}
    for examination in examiner.available():
        if examination in NEEDED:
            continue
        try:
            found = examiner.find(file, examination)
        except OptsuiteError as error:
            unexamined[examination.name] = first_line(error)
        else:
            figures |= found.figures
            notes.append(found.note)
    return Others(figures=figures, notes=tuple(notes), unexamined=unexamined)


def needed(examiner: Examiner, file: StoredFile, examination: Examination[Found]) -> Found:
    """Return what an examination found without which there is no row; OptsuiteError where it failed."""
    try:
        return examiner.find(file, examination)
    except OptsuiteError as error:
        raise OptsuiteError(f"could not be examined by {examination.name}: {first_line(error)}") from error


def of_file(
    found: FileFindings,
    startup: Startup,
    *,
    experiment: str,
    variant: str,
    file: StoredFile,
    budget: float,
    total_time_s: float,
    weights: tuple[LayerWeights, ...],
    note: str = "",
) -> Measured:
    """Return the record of a .tflite file.

    Args:
        found: What examinations found of the file.
        startup: The times of its start.
        experiment: The id of the experiment.
        variant: The name of the variant.
        file: The file.
        budget: The accuracy drop against its Keras model that it may cause, a fraction.
        total_time_s: Seconds of one pass over the test split.
        weights: The statistics of its kernels, under the names of their layers.
        note: How the file differs from what its formats make one expect.

    """
    execution = Execution(
        load_s=startup.load_s,
        first_invoke_s=startup.first_invoke_s,
        heap_bytes=startup.heap_bytes,
        precision=found.contents.precision,
        operators=found.graph.operators,
        undelegated=found.graph.undelegated,
    )
    return Measured(
        experiment=experiment,
        variant=variant,
        key=file.key,
        sha256=file.sha256,
        budget=budget,
        test=found.answered.test,
        validation=found.answered.validation,
        mistakes=found.answered.mistakes,
        total_time_s=total_time_s,
        execution=execution,
        bytes=found.sizes.bytes,
        gzip_bytes=found.sizes.gzip_bytes,
        weights=weights,
        note="; ".join(filter(None, [note, execution.note, found.answered.note, *found.others.notes])),
        figures=found.others.figures,
        unexamined=found.others.unexamined,
    )


def of_keras(
    content: bytes,
    answered: Answered,
    gzip_bytes: int,
    *,
    experiment: str,
    variant: str,
    key: str,
    budget: float,
    total_time_s: float,
    weights: tuple[LayerWeights, ...],
) -> Measured:
    """Return the record of a Keras model, whose answers and kernels are known from the build; arguments as above."""
    return Measured(
        experiment=experiment,
        variant=variant,
        key=key,
        sha256=hashlib.sha256(content).hexdigest(),
        budget=budget,
        test=answered.test,
        validation=answered.validation,
        mistakes=answered.mistakes,
        total_time_s=total_time_s,
        execution=None,
        bytes=len(content),
        gzip_bytes=gzip_bytes,
        weights=weights,
        note=answered.note,
    )


def format_note(variant: Variant, contents: Contents) -> str:
    """Return how a converted file differs from what its formats make one expect, or an empty string."""
    formats = variant.convert
    if not isinstance(formats, Convert):
        return ""
    if formats.activations == "float32" and "int8" in contents.activations:
        return "integer graph, float I/O"
    if formats.weights != "float32" and set(contents.stored) == {"float32"}:
        return "nothing quantised"
    return ""
