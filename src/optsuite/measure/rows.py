"""The records of measured rows, made of what was built, found out by examinations, and timed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from optsuite.build.examiner import Examiner, StoredFile
from optsuite.catalog.examinations import ACCURACY, KERNELS, NEEDED, RUNTIME, SIZE
from optsuite.errors import OptsuiteError, UnavailableError, first_line
from optsuite.examine.examination import Examination, Found
from optsuite.measure.startup import Startup
from optsuite.results.examined import Answered, Contents, Graph, Sizes
from optsuite.results.kernels import LayerWeights
from optsuite.results.layer_bits import LayerBits
from optsuite.results.measured import Execution, Measured
from optsuite.results.model import ModelInfo
from optsuite.spec.artifact import LAYERS, Artifact
from optsuite.spec.data import Split
from optsuite.spec.stage import Conversion
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


def findings(examiner: Examiner, file: StoredFile, conversion: Conversion | None = None) -> FileFindings:
    """Gather what was found of a file; `conversion` is what made it, where that is known.

    Raises:
        UnavailableError: LiteRT may lack kernels for what the conversion makes, and did not run the file.
        OptsuiteError: One of the examinations that every row needs failed.

    """
    try:
        return FileFindings(
            graph=needed(examiner, file, RUNTIME),
            answered=needed(examiner, file, ACCURACY),
            contents=needed(examiner, file, KERNELS),
            sizes=needed(examiner, file, SIZE),
            others=others(examiner, file),
        )
    except OptsuiteError as error:
        if conversion is not None and conversion.may_not_run:
            raise UnavailableError(str(error)) from error
        raise


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
    bits: tuple[LayerBits, ...] = (),
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
        bits: The bits that were chosen for its layers.
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
        bits=bits,
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


def layer_bits(artifact: Artifact, weights: Sequence[LayerWeights]) -> tuple[LayerBits, ...]:
    """Return the bits that a conversion chose for the layers of a file, under the names that `weights` have."""
    chosen = msgspec.json.decode(artifact.get(LAYERS, b"[]"), type=tuple[LayerBits, ...])
    return tuple(replace(one, layer=kernel.name) for one, kernel in zip(chosen, weights, strict=bool(chosen)))


def format_note(convert: Conversion | None, contents: Contents) -> str:
    """Return how a converted file differs from what its formats make one expect, or an empty string."""
    shares = contents.shares()
    if not isinstance(convert, Convert):
        each = ", ".join(f"{100 * share:.1f} % {dtype}" for dtype, share in shares.items())
        return f"weights: {each}" if len(shares) > 1 else ""
    if convert.activations == "float32" and "int8" in contents.activations:
        return "integer graph, float I/O"
    if convert.weights != "float32" and set(shares) == {"float32"}:
        return "nothing quantised"
    return ""
