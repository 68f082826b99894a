"""What rebuilds what."""

from __future__ import annotations

import enum
import functools
import importlib
import inspect
import io
import itertools
import json
import pickle
import subprocess
import sys
import types
from dataclasses import InitVar, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import loaded
import pytest
from catalogs import BUILTIN
from runs import HANGS_S

from optsuite.build import model_step, sources
from optsuite.build.builder import Builder
from optsuite.build.graph import step_of
from optsuite.build.keys import canonical
from optsuite.build.running import local_workers
from optsuite.build.step import Step
from optsuite.build.workers.local import LocalWorkers
from optsuite.catalog.catalog import Catalog
from optsuite.catalog.models import MODELS
from optsuite.catalog.profiles import PROFILES
from optsuite.catalog.recipes import RECIPES
from optsuite.catalog.selection import select
from optsuite.catalog.variants import VARIANTS
from optsuite.errors import OptsuiteError
from optsuite.spec.artifact import Artifact
from optsuite.spec.experiment import Experiment, Profile
from optsuite.spec.metric import TopK
from optsuite.spec.model import Schedule
from optsuite.stages.prune import Prune
from optsuite.store.store import Store


def _steps(catalog: Catalog = BUILTIN) -> dict[str, Step]:
    """Every step of the default matrix, by its label."""
    found: dict[str, Step] = {}

    def visit(step: Step) -> None:
        found[step.label] = step
        for parent in step.inputs:
            visit(parent)

    for experiment, variant in select(catalog).rows():
        visit(step_of(experiment, variant, PROFILES["full"], catalog))
    return found


def _changed(before: dict[str, Step], after: dict[str, Step]) -> set[str]:
    return {label for label, step in before.items() if step.key != after[label].key}


def test_keys_are_the_same_each_time_and_all_different() -> None:
    """A key depends on what it names, and on nothing else."""
    steps = _steps()
    for step in steps.values():
        assert len(step.key) == 64
    assert _changed(steps, _steps()) == set()
    assert len({step.key for step in steps.values()}) == len(steps)


@pytest.mark.parametrize(
    ("file", "rebuilt"),
    [
        ("stages/prune.py", lambda label: "> prune" in label),
        ("stages/qat.py", lambda label: "> qat" in label),
        ("stages/distill.py", lambda label: "> distill" in label),
        ("stages/train.py", lambda label: True),
        ("stages/fit.py", lambda label: True),
        ("stages/finish.py", lambda label: True),
        ("stages/convert.py", lambda label: label.rpartition("> ")[2] in VARIANTS),
        ("optsuite/keras.py", lambda label: True),
        ("build/step.py", lambda label: True),
        ("spec/task.py", lambda label: True),
        ("spec/metric.py", lambda label: True),
        ("results/model.py", lambda label: True),
        ("results/kernels.py", lambda label: True),
        ("results/header.py", lambda label: False),
        ("catalog/datasets.py", lambda label: True),
        ("loaders/npz.py", lambda label: False),
        ("catalog/models.py", lambda label: False),
        ("catalog/recipes.py", lambda label: False),
        ("catalog/variants.py", lambda label: False),
        ("stages/quantize.py", lambda label: label.endswith(("> int4", "> mixed")) and "4 bits" not in label),
        ("stages/mixed.py", lambda label: label.endswith("> mixed")),
        ("optsuite/litert.py", lambda label: label.endswith("> mixed")),
    ],
)
def test_a_changed_file_rebuilds_its_stage_and_what_follows(
    file: str, rebuilt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stage's module: that stage and its descendants. A shared file: all. A catalogue: nothing."""
    before = _steps()
    expected = {label for label, step in before.items() if step.key and rebuilt(label)}
    real = sources._read

    def read(path: Path, *others: Any) -> tuple[str, tuple[str, ...]]:
        digest, names = real(path, *others)
        return "changed" if str(path).endswith(f"/{file}") else digest, names

    monkeypatch.setattr(sources, "_read", read)
    assert _changed(before, _steps()) == expected


def test_the_order_of_patterns_is_part_of_a_key() -> None:
    """The first that matches a layer counts: the same patterns in another order prune otherwise."""
    one, other = Prune(sparsity={"conv*": 0.5, "*_1": 0.8}), Prune(sparsity={"*_1": 0.8, "conv*": 0.5})
    assert canonical(one) != canonical(other)


def test_a_new_entry_rebuilds_nothing_and_another_schedule_only_its_own() -> None:
    """Catalogue entries stand alone."""
    before = _steps()
    assert all(step.key for step in before.values())
    models = dict(MODELS)
    models["wide"] = replace(models["conv"], name="wide")
    slower = Schedule(epochs=5, peak_lr=1e-5)
    models["dscnn"] = replace(models["dscnn"], stages={**models["dscnn"].stages, "qat": slower})
    assert _changed(before, _steps(replace(BUILTIN, models=models))) == {
        label for label in before if label.startswith("dscnn s0: train > qat")
    }


def _conv(**changes: Any) -> Experiment:
    return replace(select(BUILTIN, models=["conv"]).experiments[0], **changes)


def test_what_is_not_in_a_key() -> None:
    """Names and budgets are for people."""
    plain = step_of(_conv(), VARIANTS["int8"], PROFILES["full"], BUILTIN)
    renamed = replace(_conv().model, name="other")
    generous = replace(VARIANTS["int8"], budget=0.9)
    assert step_of(_conv(model=renamed), generous, Profile(name="mine", min_budget=1.0), BUILTIN).key == plain.key


def test_what_is_in_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seed, data, profile, the builder's code, the formats and the versions of what builds."""
    full = PROFILES["full"]
    keys = [step_of(_conv(), VARIANTS["int8"], full, BUILTIN).key]
    keys.append(step_of(_conv(seed=1), VARIANTS["int8"], full, BUILTIN).key)
    keys.append(
        step_of(_conv(dataset=replace(_conv().dataset, fingerprint="other")), VARIANTS["int8"], full, BUILTIN).key
    )
    keys.append(step_of(_conv(), VARIANTS["int8"], PROFILES["smoke"], BUILTIN).key)
    other_build = replace(_conv().model, build=MODELS["tutorial"].build)
    keys.append(step_of(_conv(model=other_build), VARIANTS["int8"], full, BUILTIN).key)
    keys.append(step_of(_conv(), VARIANTS["uint8"], full, BUILTIN).key)
    monkeypatch.setattr(model_step, "builder_versions", lambda: {"tensorflow": "9.9"})
    keys.append(step_of(_conv(), VARIANTS["int8"], full, BUILTIN).key)
    assert len(set(keys)) == len(keys)


class Plain:
    """Builds, and keeps its setting where nothing sees it."""

    def __init__(self, width: int) -> None:
        self.width = width

    def make(self) -> int:
        return self.width


@dataclass(frozen=True)
class Net:
    """Builds, by a method or when it is called."""

    width: int

    def make(self) -> int:
        return self.width

    def __call__(self) -> int:
        return self.width

    @classmethod
    def default(cls) -> int:
        return 1


class Wide(NamedTuple):
    """Builds when it is called, and is a tuple of numbers besides."""

    width: int

    def __call__(self) -> int:
        return self.width


class Deep(Wide):
    """The same numbers, and another result."""

    def __call__(self) -> int:
        return 2 * self.width


class Order(enum.IntEnum):
    """Is a number besides."""

    FIRST = 1


class Side(enum.Enum):
    """Is no number."""

    LEFT = 1
    RIGHT = 2


@dataclass(frozen=True)
class Given:
    """Keeps its setting where no field is."""

    width: InitVar[int]

    def __post_init__(self, width: int) -> None:
        object.__setattr__(self, "kept", width)


class Weighted(TopK):
    """A metric whose class is no dataclass of its own, so that its setting is no field."""

    def __init__(self, weight: int) -> None:
        super().__init__(k=1)
        self.weight = weight


class Times:
    """A decorator that is a class, with a setting."""

    def __init__(self, function: Any, factor: int) -> None:
        self.__wrapped__ = function  # as functools.update_wrapper does
        self.factor = factor


class Labelled(dict[str, int]):
    """A mapping that is more than its items."""

    label = ""


def labelled(label: str) -> Labelled:
    found = Labelled(a=1)
    found.label = label
    return found


def make(width: int = 4, *, depth: int = 1) -> int:
    return width * depth


def closing_over(width: Any) -> Any:
    def inner() -> Any:
        return width

    return inner


@functools.wraps(make, assigned=("__doc__",))
def wider() -> int:
    return make(5)


@functools.wraps(make, assigned=("__doc__",))
def deeper() -> int:
    return make(depth=2)


def twice(function: Any, factor: int) -> Any:
    @functools.wraps(function)
    def doubled() -> Any:
        return factor * function()

    return doubled


def with_defaults(width: int, depth: int) -> Any:
    """The same function with other default arguments, as a decorator may set them."""
    copy = types.FunctionType(make.__code__, globals(), "make", (width,))
    copy.__kwdefaults__ = {"depth": depth}
    return copy


def test_functions_count_with_all_that_they_are_bound_to() -> None:
    """Arguments, objects, closures, decorators: none of these two are the same."""
    different = [
        *(make, with_defaults(5, 1), with_defaults(4, 2)),
        *(Net(4).make, Net(16).make, Net(4), Net(16), Net.default),
        *(closing_over(4), closing_over(16), closing_over(make), closing_over(with_defaults(5, 1))),
        *(twice(make, 2), twice(make, 3), twice(Net(4).make, 2), twice(Net(16).make, 2)),
        *(functools.cache(make), functools.cache(with_defaults(5, 1))),
        *(functools.partial(make, 4), functools.partial(make, 16), functools.partial(make, depth=4)),
        *({1: 0.5}, {"1": 0.5}, {1: 0.5, "1": 0.5}, [[1, 0.5]]),
        *(wider, deeper, functools.wraps(make)(closing_over(4))),
        *(Wide(4), Wide(16), Deep(4), (4,), Net),
        *(Order.FIRST, 1, True, 1.0, -1.0, 0.0, -0.0, float("nan"), Side.LEFT, Side.RIGHT),
    ]
    for one, other in itertools.combinations(different, 2):
        assert json.dumps(canonical(one)) != json.dumps(canonical(other)), (one, other)  # 1 == True, but not there
    assert canonical(Net(4).make) == canonical(Net(4).make)
    assert canonical({2: 1.0, 1: 0.5}) == canonical({1: 0.5, 2: 1.0})


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (Plain(4).make, "Plain object .* of type Plain can't be part of a key: expected .* a dataclass"),
        (Plain(4), "of type Plain can't be part of a key"),
        (closing_over(Plain(4)), "of type Plain can't be part of a key"),
        (lambda: 4, "expected a function written with `def`, got a lambda"),
        (abs, "expected a function written with `def`, got builtin_function_or_method"),
        (object(), "type object can't be part of a key: expected a number"),
        (Times(make, 2), "of type Times can't be part of a key"),
        (Given(4), "expected a Given that its fields alone determine, got also the attributes kept; declare"),
        (Weighted(4), "expected a Weighted that its fields alone determine, got also the attributes weight; declare"),
        (labelled("x"), "expected a Labelled that its fields alone determine, got also the attributes label; declare"),
    ],
)
def test_what_two_settings_may_hide_is_refused(setting: Any, said: str) -> None:
    """An object's address would make every run a new key; what it holds can't be seen."""
    with pytest.raises(OptsuiteError, match=said):
        canonical(setting)


def test_all_code_of_a_setting_counts() -> None:
    """That of a decorated function and of what it decorates; that of a named tuple which is called."""
    code: list[Any] = []
    canonical({"a": [Deep(4), wider, functools.cache(deeper)]}, code)
    assert {Deep, wider, make, deeper} <= set(code)
    elsewhere = types.FunctionType(sources.of.__code__, vars(sources), "of")
    named_here = functools.wraps(make)(elsewhere)
    assert "optsuite.build.sources" in sources.of(named_here)


def test_built_in_models_use_nothing_else_of_their_module() -> None:
    """A model in optsuite.catalog.models counts by its function's source alone."""
    builders = [model.build for model in MODELS.values() if model.build]
    assert len(builders) == 3
    for builder in builders:
        found = inspect.getclosurevars(builder)
        assert (found.globals, found.nonlocals) == ({}, {}), builder


_STARTS_PROCESSES = {
    "optsuite.build.workers",
    "optsuite.build.workers.local",
    "optsuite.programs",
    "optsuite.spawn",
}
"""The modules of a worker that no step uses."""


@pytest.mark.slow
def test_a_key_covers_every_module_that_the_step_loads(tmp_path: Path) -> None:
    """In a process that does nothing else: training, a stage after it, and a conversion."""
    profile = Profile(name="tiny", train_images=256, eval_images=100, max_epochs=1, max_steps=2)
    experiment = _conv(model=replace(MODELS["conv"], build=loaded.small_network), recipe=RECIPES["prune-0.8_pqat"])
    todo: list[Step] = [step_of(experiment, VARIANTS["int8"], profile, BUILTIN)]
    while todo[0].inputs:
        todo.insert(0, todo[0].inputs[0])
    artifacts: dict[str, Artifact] = {}
    for step in todo:
        processes = LocalWorkers(1, tmp_path / "log", loaded.modules)
        try:
            inputs = [artifacts[one.key] for one in step.inputs]
            artifacts[step.key] = processes.submit(step, inputs, 0).result(HANGS_S).artifact
        finally:
            processes.close()
        found = set(artifacts[step.key]["loaded"].decode().split())
        assert {"optsuite.build.step", "optsuite.spec.task", "optsuite.keras", "optsuite.spec.metric"} <= found
        in_key = {name for name, _ in step._tools()}
        assert found - in_key <= _STARTS_PROCESSES | _loaded_with_the_catalog()


def _loaded_with_the_catalog() -> set[str]:
    """What `optsuite.catalog` imports: it lists names of other modules, and any module in it brings them along."""
    code = "import sys, optsuite.catalog; print(*(name for name in sys.modules if name.startswith('optsuite')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_keys_are_fixed_once_for_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """A catalogue that is edited while the run measures changes no key that it looks for."""
    experiment, file = _of_a_file(tmp_path, monkeypatch, request)
    smoke = select(BUILTIN, profile="smoke")
    artifacts = Builder(smoke, Store(tmp_path / "store", print), print)
    before = artifacts.key(experiment, VARIANTS["int8"])
    file.write_text("WIDTH = 64\ndef build():\n    return WIDTH\n\n")
    assert artifacts.key(experiment, VARIANTS["int8"]) == before
    assert Builder(smoke, Store(tmp_path / "store", print), print).key(experiment, VARIANTS["int8"]) != before


def test_an_edit_before_anything_is_built_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """While data was loaded: the schedule was that of the file before, the function that of the file after."""
    experiment, file = _of_a_file(tmp_path, monkeypatch, request)
    mine = replace(experiment.model, name="mine", recipes=("baseline",))
    selection = select(BUILTIN.joined(Catalog(models={"mine": mine})), profile="smoke")
    artifacts = Builder(selection, Store(tmp_path / "store", print), print)
    artifacts.begin(selection.rows())
    file.write_text("WIDTH = 64\ndef build():\n    return WIDTH\n\n")
    with pytest.raises(OptsuiteError, match=r"^catalogue_of_this_test changed since the run began"):
        artifacts.build(selection.rows(), functools.partial(local_workers, 1), io.StringIO())


def _of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> tuple[Experiment, Path]:
    """An experiment whose model is built by a function of a file, to be edited."""
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "catalogue_of_this_test.py"
    file.write_text("WIDTH = 16\ndef build():\n    return WIDTH\n")
    request.addfinalizer(lambda: sys.modules.pop(file.stem))
    return _conv(model=replace(_conv().model, build=importlib.import_module(file.stem).build)), file


@pytest.mark.parametrize("edited", ["WIDTH = 64\ndef build():\n    return WIDTH\n\n", "WIDTH = 64\ndef build(:\n"])
def test_an_edit_after_the_run_began_is_noticed(
    edited: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """A worker that imports the file later would store the new code's model under the old code's key."""
    experiment, file = _of_a_file(tmp_path, monkeypatch, request)
    step = step_of(experiment, VARIANTS["keras"], PROFILES["smoke"], BUILTIN)
    child = replace(step, action=Prune(sparsity=0.5), inputs=(step,))
    keys = step.key, child.key
    child.check_unchanged()
    file.write_text(edited)
    for one in (step, child):
        with pytest.raises(OptsuiteError, match=r"^catalogue_of_this_test changed since the run began"):
            pickle.loads(pickle.dumps(one)).check_unchanged()
    assert (step.key, child.key) == keys


def test_a_process_that_imported_other_code_builds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """A worker of a cluster outlives a run: it stored what the old code makes under the new code's key."""
    experiment, file = _of_a_file(tmp_path, monkeypatch, request)
    helper = tmp_path / "helper_of_this_test.py"
    helper.write_text("WIDTH = 16\n")

    def check() -> None:
        """Do what a worker does for a run that begins now."""
        step_of(experiment, VARIANTS["keras"], PROFILES["smoke"], BUILTIN).check_unchanged()

    check()
    file.write_text("import helper_of_this_test\ndef build():\n    return helper_of_this_test.WIDTH\n")
    for _ in range(2):
        with pytest.raises(OptsuiteError, match=r"^catalogue_of_this_test changed since the process that builds im"):
            check()
    del sys.modules[file.stem]
    importlib.import_module(file.stem)
    request.addfinalizer(lambda: sys.modules.pop(helper.stem))
    check()
    helper.write_text("WIDTH = 64\n\n")
    with pytest.raises(OptsuiteError, match=r"^helper_of_this_test changed since the process that builds imported it"):
        check()


def test_what_a_step_imports_late_is_not_believed_where_it_was_edited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The step is refused; a later one, whose key is of the edited file, must not be done by the code of before."""
    experiment, file = _of_a_file(tmp_path, monkeypatch, request)
    file.write_text("WIDTH = 16\ndef build():\n    import late_of_this_test\n    return WIDTH\n")
    late = tmp_path / "late_of_this_test.py"
    late.write_text("WIDTH = 16\n")
    step = step_of(experiment, VARIANTS["keras"], PROFILES["smoke"], BUILTIN)
    step.check_unchanged()
    importlib.import_module(late.stem)
    request.addfinalizer(lambda: sys.modules.pop(late.stem))
    late.write_text("WIDTH = 64\n\n")
    with pytest.raises(OptsuiteError, match=r"^late_of_this_test changed since the run began"):
        step.check_unchanged()
    with pytest.raises(OptsuiteError, match=r"^late_of_this_test changed since the process that builds imported it"):
        step_of(experiment, VARIANTS["keras"], PROFILES["smoke"], BUILTIN).check_unchanged()
