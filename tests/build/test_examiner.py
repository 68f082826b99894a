"""Examinations: what is in their keys, what is found once and kept, and what one that fails takes along."""

from __future__ import annotations

import hashlib
import importlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import Any

import filelock
import numpy as np
import pytest
from runs import HANGS_S

from optsuite import cpu
from optsuite.build import plan, scheduler
from optsuite.build.durations import Durations
from optsuite.build.examination_step import ExaminationStep
from optsuite.build.examiner import Examiner, StoredFile
from optsuite.build.running import local_workers
from optsuite.build.scheduler import UnplacedError
from optsuite.build.step import Done, Step, timed
from optsuite.build.workers.local import LocalWorkers
from optsuite.catalog.examinations import ACCURACY, EXAMINATIONS, KERNELS, RUNTIME, SIZE
from optsuite.catalog.profiles import PROFILES
from optsuite.errors import OptsuiteError, UnavailableError
from optsuite.examine import examination as examination_module
from optsuite.examine.examination import Examination, ExaminationTask
from optsuite.examine.target import Target
from optsuite.measure import rows
from optsuite.probe_models import matrix_product
from optsuite.results.examined import Findings, Sizes
from optsuite.results.figures import Figure
from optsuite.spec.artifact import TFLITE, Artifact
from optsuite.spec.data import Dataset, Split
from optsuite.spec.metric import TopK
from optsuite.store.store import Store


def load(split: str) -> Split:
    """Random inputs of a matrix product, and labels."""
    rng = np.random.default_rng(len(split))
    return Split(x=rng.random((50, 8), np.float32), y=rng.integers(0, 3, 50).astype(np.int32))


DATASET = Dataset(name="random", input_shape=(8,), fingerprint="1", load=load)
FULL = PROFILES["full"]


@dataclass(frozen=True, kw_only=True)
class Zeros(Examination[Findings]):
    """Counts the zero bytes of a file, and leaves a file in a folder each time; fails on files of a size."""

    name: str = "zeros"
    folder: str = ""
    fails_on_bytes: int = 0
    sleep_s: float = 0.0

    @property
    def figures(self) -> tuple[Figure, ...]:
        return (
            Figure(name="zero_bytes", label="zeros", unit="bytes", better="lower", tolerance=0.0, resource="flash"),
        )

    def run(self, task: ExaminationTask) -> Findings:
        if self.folder:
            (Path(self.folder) / f"{time.monotonic_ns()}").touch()
        time.sleep(self.sleep_s)
        if len(task.content) == self.fails_on_bytes:
            raise OptsuiteError("expected another file")
        return Findings(figures={"zero_bytes": task.content.count(0)}, note="counted")


@dataclass(frozen=True, kw_only=True)
class Dies(Zeros):
    """Kills its process on files of a size, as one that crashes LiteRT does."""

    name: str = "dies"

    @property
    def figures(self) -> tuple[Figure, ...]:
        return ()

    def run(self, task: ExaminationTask) -> Findings:
        if len(task.content) == self.fails_on_bytes:
            os.kill(os.getpid(), signal.SIGSEGV)
        return Findings()


def stored(store: Store, content: bytes, name: str = "net", key: str = "", dataset: Dataset = DATASET) -> StoredFile:
    """A file in the store."""
    key = key or hashlib.sha256(name.encode()).hexdigest()
    store.put(key, {TFLITE: content})
    return StoredFile(
        model=name,
        dataset=dataset,
        seed=0,
        actions=("baseline", "int8"),
        index_name=PurePath("full", "random", f"{name}_baseline_s0", "int8"),
        key=key,
        sha256=hashlib.sha256(content).hexdigest(),
    )


def examiner(store: Store, *examinations: Examination[Any]) -> Examiner:
    return Examiner(examinations, FULL, FULL.split, store, print)


def examine(found: Examiner, *files: StoredFile) -> None:
    found.examine(files, partial(local_workers, 1), io.StringIO())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", print)


SMALL, LARGE = (matrix_product(batch=1, inputs=8, outputs=outputs, dtype="float32") for outputs in (3, 5))


def test_all_that_a_row_needs_is_found(store: Store) -> None:
    """Answers, kernels, graph and sizes of a real file; the index names what was found."""
    file, found = stored(store, SMALL), examiner(store, *EXAMINATIONS.values())
    examine(found, file)
    answered = found.find(file, ACCURACY)
    weights = np.random.default_rng(0).integers(-127, 128, (3, 8)).astype(np.float32)
    right = (load("test").x @ weights.T).argmax(axis=1) == load("test").y
    np.testing.assert_array_equal(answered.test.correct(), right)
    assert (answered.test.count, answered.validation.count, len(answered.mistakes)) == (50, 50, (~right).sum())
    contents = found.find(file, KERNELS)
    assert ([one.size for one in contents.weights], contents.macs, contents.precision) == ([24], 24, "float32")
    assert found.find(file, RUNTIME).operators == 1
    assert found.find(file, SIZE).bytes == len(SMALL)
    names = {name.name for name in store.index()}
    assert names == {"int8@accuracy", "int8@kernels", "int8@runtime", "int8@size"}


@dataclass(frozen=True, kw_only=True)
class Dimensions(Zeros):
    """Counts the dimensions of the test inputs."""

    name: str = "dimensions"
    needs = ("test",)

    def run(self, task: ExaminationTask) -> Findings:
        return Findings(figures={"zero_bytes": task.splits["test"].x.ndim})


def load_square(split: str) -> Split:
    """The same values in another shape."""
    flat = load(split)
    return Split(x=flat.x.reshape(50, 4, 2), y=flat.y)


def test_two_datasets_of_the_same_values_in_other_shapes(store: Store) -> None:
    """A process that had loaded one of them took it for the other."""
    square = Dataset(name="square", input_shape=(4, 2), fingerprint="1", load=load_square)
    files = [stored(store, SMALL, "flat"), stored(store, LARGE, "square", dataset=square)]
    found = examiner(store, Dimensions())
    examine(found, *files)
    assert [found.find(file, Dimensions()).figures["zero_bytes"] for file in files] == [2, 3]


def test_two_builds_of_the_same_bytes_are_examined_once(store: Store, tmp_path: Path) -> None:
    """By two runs, under two keys."""
    (tmp_path / "times").mkdir()
    counting = Zeros(folder=str(tmp_path / "times"))
    files = [stored(store, SMALL, "one"), stored(store, SMALL, "two"), stored(store, LARGE, "three")]
    for _ in range(2):
        found = examiner(store, counting)
        examine(found, *files)
        assert [found.find(file, counting).figures for file in files] == [
            {"zero_bytes": content.count(0)} for content in (SMALL, SMALL, LARGE)
        ]
    assert len(list((tmp_path / "times").iterdir())) == 2


def test_what_was_made_is_named_before_the_store_is_unlocked(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """`optsuite store gc`, which waits for the lock, deletes what the index does not name."""
    real = store.point

    def point(name: PurePath, key: str) -> None:
        with pytest.raises(filelock.Timeout):
            filelock.FileLock(store.root / "build.lock").acquire(timeout=0)
        real(name, key)

    monkeypatch.setattr(store, "point", point)
    examine(examiner(store, Zeros()), stored(store, SMALL))
    assert len(store.index()) == 1


def test_the_reason_of_a_failure_names_no_other_file(store: Store) -> None:
    """Of two files that are the same one is examined, and both have the same reason."""
    dies = Dies(fails_on_bytes=len(SMALL))
    files = [stored(store, SMALL, "one"), stored(store, SMALL, "two")]
    found = examiner(store, dies)
    examine(found, *files)
    for file in files:
        with pytest.raises(OptsuiteError, match=r"^the process that examined the file was killed twice"):
            found.find(file, dies)


def test_what_was_examined_is_not_examined_again_after_a_kill(store: Store, tmp_path: Path) -> None:
    """The run is killed between two files, and the next one goes on where it was."""
    (tmp_path / "times").mkdir()
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}; from test_examiner import *; from pathlib import Path\n"
        "if __name__ == '__main__':\n"
        f"    go_on(Path({str(tmp_path)!r}), sleep_s=0.3)"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        deadline = time.monotonic() + HANGS_S
        while len(findings_in(store)) < 2:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
    before = len(findings_in(store))
    begun = len(list((tmp_path / "times").iterdir()))
    assert 2 <= before < 8
    go_on(tmp_path, sleep_s=0.3)
    assert len(findings_in(store)) == 8
    assert len(list((tmp_path / "times").iterdir())) == begun + 8 - before


def findings_in(store: Store) -> list[Path]:
    """What was found, by any examination."""
    return list(store.root.glob("objects/*/findings.json"))


def go_on(folder: Path, sleep_s: float) -> None:
    """Examine eight files, one after the other."""
    store = Store(folder / "store", print)
    contents = [matrix_product(batch=1, inputs=8, outputs=outputs, dtype="float32") for outputs in range(3, 11)]
    files = [stored(store, content, f"net{number}") for number, content in enumerate(contents)]
    examine(examiner(store, Zeros(folder=str(folder / "times"), sleep_s=sleep_s)), *files)


def test_an_examination_of_the_users_that_fails_is_a_marked_absence(store: Store) -> None:
    """Its figures are missing, and why; those of others, and of other files, are there."""
    failing, dying = Zeros(fails_on_bytes=len(LARGE)), Dies(fails_on_bytes=len(SMALL))
    every = [*EXAMINATIONS.values(), failing, dying]
    files = [stored(store, SMALL, "small"), stored(store, LARGE, "large")]
    found = examiner(store, *every)
    examine(found, *files)
    small, large = (rows.findings(found, file) for file in files)
    assert (small.others.figures, large.others.figures) == ({"zero_bytes": SMALL.count(0)}, {})
    assert small.others.unexamined == {
        "dies": "the process that examined the file was killed twice: the file or the examination may crash or never "
        "end"
    }
    assert large.others.unexamined == {"zeros": "expected another file"}
    assert small.others.notes == ("counted",)


@dataclass(frozen=True, kw_only=True)
class Buggy(Zeros):
    """Raises something else than OptsuiteError."""

    name: str = "buggy"

    def run(self, task: ExaminationTask) -> Findings:
        raise ValueError(f"a bug{', and more' * 9}\nthe second line")


def test_a_bug_of_the_users_is_named_while_the_run_goes_on(store: Store) -> None:
    """In one line, however long; a traceback would be too much."""
    file, found, stream = stored(store, SMALL), examiner(store, Buggy()), io.StringIO()
    found.examine([file], partial(local_workers, 1), stream)
    reason = f"ValueError: a bug{', and more' * 9}"
    assert stream.getvalue() == f"failed: net s0: baseline > int8 > buggy: {reason}\n"
    assert rows.others(found, file).unexamined == {"buggy": reason}


@dataclass(frozen=True, kw_only=True)
class Needs(Zeros):
    """Needs a package that nobody has."""

    name: str = "needs"
    packages = ("no-such-package",)


def test_what_is_not_installed_is_a_marked_absence(store: Store) -> None:
    """And not planned, nor tried."""
    every = [*EXAMINATIONS.values(), Needs()]
    file, found = stored(store, SMALL), examiner(store, *every)
    assert len(found.steps([file])) == 4
    examine(found, file)
    assert rows.others(found, file).unexamined == {}
    record = found.records([Target(name="nowhere", examinations=(every[-1],))])[-1]
    assert (record.name, record.target, record.tools) == ("needs", "nowhere", {})
    assert record.absent == "no-such-package is not installed: pip install no-such-package"


@dataclass(frozen=True, kw_only=True)
class Broken(Zeros):
    """Fails for a reason that is not the file's."""

    name: str = "broken"

    def run(self, task: ExaminationTask) -> Findings:
        super().run(task)
        raise UnavailableError("the licence server does not answer")


@pytest.mark.parametrize(("kind", "runs"), [(Zeros, 1), (Broken, 2)])
def test_a_reason_that_is_the_files_is_kept(store: Store, tmp_path: Path, kind: type[Zeros], runs: int) -> None:
    """It is as much a function of the file as any figure; another reason is looked into again."""
    (tmp_path / "times").mkdir()
    failing = kind(folder=str(tmp_path / "times"), fails_on_bytes=len(SMALL) if kind is Zeros else 0)
    file = stored(store, SMALL)
    for _ in range(2):
        found = examiner(store, failing)
        examine(found, file)
        with pytest.raises(OptsuiteError, match=r"^(expected another|the licence server)"):
            found.find(file, failing)
    assert len(list((tmp_path / "times").iterdir())) == runs


class Leaves:
    """Workers of a cluster of which the last leaves when it gets its first step."""

    title = "on a cluster"

    def takes(self, step: Step) -> bool:
        return True

    def free(self) -> bool:
        return True

    def submit(self, step: Step, inputs: list[Artifact], urgency: float) -> Future[Done]:
        future: Future[Done] = Future()
        future.set_exception(UnplacedError())
        return future

    def close(self) -> None:
        pass


def test_what_no_worker_can_do_any_more_is_done_here(store: Store) -> None:
    """It is no failure of the file."""
    file, found = stored(store, SMALL), examiner(store, SIZE, KERNELS)
    found.examine([file], lambda steps, log: Leaves(), io.StringIO())
    assert found.find(file, SIZE).bytes == len(SMALL)
    assert found.find(file, KERNELS).macs == 24


@dataclass(frozen=True, kw_only=True)
class Raises(Zeros):
    """Has a bug."""

    name: str = "raises"

    def run(self, task: ExaminationTask) -> Findings:
        raise KeyError("no such key")


def test_a_bug_in_an_examination_is_named_in_the_first_line(store: Store) -> None:
    """Which is what tables show."""
    every = [*EXAMINATIONS.values(), Raises()]
    file, found = stored(store, SMALL), examiner(store, *every)
    examine(found, file)
    reason = rows.others(found, file).unexamined["raises"]
    assert reason == "KeyError: 'no such key'"


def test_a_file_that_needs_no_examination_of_another_run_is_refused(store: Store) -> None:
    """What was not examined is no row."""
    with pytest.raises(OptsuiteError, match=r"full/random/net_baseline_s0/int8 was not examined by accuracy"):
        examiner(store, *EXAMINATIONS.values()).find(stored(store, SMALL), ACCURACY)


@dataclass(frozen=True, kw_only=True)
class Undeclared(Zeros):
    """Finds a figure that it does not declare."""

    @property
    def figures(self) -> tuple[Figure, ...]:
        return ()


@dataclass(frozen=True, kw_only=True)
class Untyped(Zeros):
    """Returns another record than it says."""

    record = Sizes


@dataclass(frozen=True, kw_only=True)
class Strange(Zeros):
    """Finds what is no number, or none that a run's JSON may have."""

    number: float = float("nan")

    def run(self, task: ExaminationTask) -> Findings:
        return Findings(figures={"zero_bytes": self.number})


@pytest.mark.parametrize(
    ("examination", "reason"),
    [
        (Strange(), "expected finite numbers, and .* got others for zero_bytes"),
        (Strange(number=10**400), "integers from -2.*53 to 2.*53, got others for zero_bytes"),
        (Strange(number=-1), "expected figures from 0, got less for zero_bytes"),
        (Undeclared(), "expected only figures that it declares, got zero_bytes"),
        (Untyped(), r"expected a Sizes, got Findings\("),
    ],
)
def test_only_what_is_declared_is_found(store: Store, examination: Zeros, reason: str) -> None:
    """Else it would be in no table, and no reader would check it."""
    file, found = stored(store, SMALL), examiner(store, examination)
    examine(found, file)
    with pytest.raises(OptsuiteError, match=reason):
        found.find(file, examination)


def _step(store: Store, examination: Examination[Any]) -> ExaminationStep:
    (step,) = examiner(store, examination).steps([stored(store, SMALL)])
    return step


def test_an_edit_while_files_are_built_is_noticed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The edited examination would find the figures that the run began to declare by another one."""
    monkeypatch.syspath_prepend(tmp_path)
    edited = tmp_path / "examination_of_this_test.py"
    edited.write_text("from test_examiner import Zeros\n\nclass Mine(Zeros):\n    ...\n")
    request.addfinalizer(lambda: sys.modules.pop(edited.stem))
    mine = importlib.import_module(edited.stem).Mine()
    found = examiner(store, mine)
    found.begin([DATASET])
    edited.write_text(edited.read_text() + "    def run(self, task):\n        return None\n")
    file = stored(store, SMALL)
    examine(found, file)
    with pytest.raises(OptsuiteError, match=r"^examination_of_this_test changed since the run began"):
        found.find(file, mine)


ALL = {"accuracy", "kernels", "runtime", "size"}


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ({"file_sha256": "0" * 64}, ALL),
        ({"file_key": "0" * 64, "model": "other", "actions": ("x",), "seed": 3}, set()),
        ({"profile": PROFILES["smoke"]}, set()),
        ({"dataset": replace(DATASET, name="other", fingerprint="2")}, set()),
        ({"metric": TopK(k=2)}, {"accuracy"}),
        ({"data_sha256": {"test": "1", "validation": "2"}}, {"accuracy"}),
    ],
    ids=["the file", "how it was made", "the profile's name", "the data's name", "the metric", "the data"],
)
def test_what_is_in_a_key(store: Store, change: dict[str, Any], changed: set[str]) -> None:
    """The bytes of file and data, and the metric; never the steps that made the file."""
    found = set()
    for name, examination in EXAMINATIONS.items():
        step = _step(store, examination)
        if "data_sha256" in change and not examination.needs:
            continue
        shared = {"metric", "data_sha256"} & set(change)
        if replace(step, **({"setup": replace(step.setup, **change)} if shared else change)).key != step.key:
            found.add(name)
    assert found == changed


@pytest.mark.parametrize(
    ("tool", "changed"),
    [
        ("cpu", {"accuracy", "runtime"}),
        ("ai-edge-litert", {"accuracy", "runtime", "kernels"}),
        ("zlib", {"size"}),
    ],
)
def test_the_tools_are_in_a_key(store: Store, monkeypatch: pytest.MonkeyPatch, tool: str, changed: set[str]) -> None:
    """Answers depend on the kernels that XNNPACK takes for a CPU, and a size after gzip on zlib."""
    before = {name: _step(store, one).key for name, one in EXAMINATIONS.items()}
    if tool == "cpu":
        monkeypatch.setattr(cpu, "features", lambda: "x86_64 sse4_1")
    elif tool == "zlib":
        monkeypatch.setattr("zlib.ZLIB_RUNTIME_VERSION", "0.1")
    else:
        monkeypatch.setattr(examination_module, "version", lambda name: "0" if name == tool else version(name))
    after = {name: _step(store, one).key for name, one in EXAMINATIONS.items()}
    assert {name for name in before if before[name] != after[name]} == changed


def test_its_code_is_in_a_key(store: Store) -> None:
    """That of the examination, and of what it runs the file with; nothing that trains."""
    for name, examination in EXAMINATIONS.items():
        modules = set(_step(store, examination).parts["code"])
        assert f"optsuite.examine.{name}" in modules
        assert not {one for one in modules if one.startswith(("optsuite.stages", "optsuite.catalog"))}
    assert "optsuite.litert" in _step(store, ACCURACY).parts["code"]


def loading(step: Step, inputs: Sequence[Artifact]) -> Done:
    """Do a step, and return what its process has loaded."""
    done = timed(step, inputs)
    return replace(done, artifact={"loaded": "\n".join(sys.modules).encode()})


def test_a_worker_that_only_examines_imports_no_tensorflow(store: Store, tmp_path: Path) -> None:
    """Nor anything else that takes long."""
    steps = examiner(store, *EXAMINATIONS.values()).steps([stored(store, SMALL)])
    workers = LocalWorkers(1, tmp_path / "log", loading, steps[0].prepare)
    try:
        for step in steps:
            done = workers.submit(step, [{TFLITE: SMALL}], 0).result(HANGS_S)
    finally:
        workers.close()
    modules = done.artifact["loaded"].decode().split()
    assert "ai_edge_litert" in modules
    assert not {"tensorflow", "tf_keras", "keras", "pandas", "scipy", "matplotlib"} & set(modules)


def test_data_that_changed_is_refused(store: Store) -> None:
    """The key has the hash of the data that the run began with."""
    (step,) = examiner(store, ACCURACY).steps([stored(store, SMALL)])
    other = replace(step, setup=replace(step.setup, data_sha256={**step.setup.data_sha256, "test": "0" * 64}))
    with pytest.raises(OptsuiteError, match="the test split is not the one that the run began with"):
        other.run([{TFLITE: SMALL}], {})
    with pytest.raises(OptsuiteError, match="the file changed since the run began"):
        step.run([{TFLITE: LARGE}], {})


def test_a_plan_counts_examinations(store: Store, tmp_path: Path) -> None:
    """Those that are stored, and those to do with their time: of files that are not built yet, too."""
    files = [stored(store, SMALL, "one"), stored(store, LARGE, "two")]
    found = examiner(store, KERNELS, SIZE)
    examine(found, files[0])
    steps = found.steps(files)
    later = found.steps([replace(files[0], key="not built", sha256="")])
    text = plan.text(plan.plan_build([], steps, later, store, Durations(tmp_path / "times")))
    assert text.splitlines()[:4] == [
        "   stored  2 examinations",
        "    0.3 s  2 files: kernels",
        "    0.3 s  2 files: size",
        "0 steps to build and 4 to examine files, 1 s of work",
    ]
    assert "1 workers: about 11 s, 10 to 12 s" in text  # 10 s to start a process, as nothing is known
    assert len(scheduler.missing(steps, store)) == 2


def test_examinations_say_nothing_of_how_long_a_training_takes(store: Store, tmp_path: Path) -> None:
    """Nor does the start of their processes, which load no TensorFlow."""
    times = Durations(tmp_path / "times")
    (step,) = examiner(store, SIZE).steps([stored(store, SMALL)])
    times.add(step, Done(artifact={}, seconds=0.001, start_s=0.1))
    assert Durations(tmp_path / "times").start_s == 10.0
    assert Durations(tmp_path / "times").of(step).seconds == 0.001
