"""The workers of a Dask cluster that build. No disk is shared: artifacts travel as bytes, the data once a worker."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import dask
from distributed import Client, Scheduler, SchedulerPlugin, Worker, WorkerPlugin

from optsuite import build
from optsuite.build import Done, Step
from optsuite.scheduler import DEATHS_ALLOWED
from optsuite.spec import Artifact, OptsuiteError, Split

_CONNECT_S = 10

_data: dict[str, Mapping[str, Split]] = {}
"""In a worker: the splits that came here, by the name under which they did."""
_alone = threading.Lock()
"""Keras has one state for all threads of a process: where a worker has more of them, they take turns."""


class _Data(WorkerPlugin):
    """Brings the splits to every worker once, also to one that joins later."""

    def __init__(self, name: str, splits: Mapping[str, Split]) -> None:
        self.name = name
        self._splits = splits

    def setup(self, worker: Worker) -> None:
        _data[self.name] = self._splits

    def teardown(self, worker: Worker) -> None:
        _data.pop(self.name, None)


class _Lives(SchedulerPlugin):
    """Gives up on a step of ours when it killed its second worker, whatever the scheduler allows other tasks."""

    idempotent = True

    def update_graph(self, scheduler: Scheduler, *, tasks: list[Any], **others: Any) -> None:
        for key in tasks:
            if str(key).startswith("optsuite-"):
                scheduler.tasks[key].suspicious = scheduler.allowed_failures - DEATHS_ALLOWED


class Cluster:
    """The workers that the scheduler at `address` (HOST:PORT) has at any time, for these steps.

    They and the scheduler need optsuite, in the version that is here. OptsuiteError where no scheduler answers.
    """

    def __init__(self, address: str, steps: Collection[Step]) -> None:
        self._address = address
        self._at_work: list[Future[Done]] = []
        self._names: dict[tuple[str, str], str] = {}
        try:
            self._client = Client(f"tcp://{address}", timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise OptsuiteError(f"no Dask scheduler answers at {address}: {error}") from error
        self._executor = self._client.get_executor()
        try:
            self._client.register_plugin(_Lives(), "optsuite")
            for step in steps:
                self._bring(step)
        except ImportError as error:
            self.close()
            raise OptsuiteError(f"the Dask scheduler at {address}, or a worker, has no optsuite: {error}") from error
        self.title = f"on {self._workers()} workers of the Dask scheduler at {address}"

    def _bring(self, step: Step) -> None:
        """Have a step's data on all workers."""
        data = step.dataset.name, step.profile.name
        if data not in self._names:
            self._names[data] = f"optsuite-{uuid.uuid4().hex}"
            names = ("train", "validation", "test")
            splits = {name: step.dataset.load(name).first(step.profile.limit(name)) for name in names}
            self._client.register_plugin(_Data(self._names[data], splits), self._names[data])

    def _workers(self) -> int:
        try:
            return len(self._client.nthreads())
        except OSError as error:
            raise OptsuiteError(f"the Dask scheduler at {self._address} is gone: {error}") from error

    def free(self) -> bool:
        # No more than there are workers: what waits for a worker that dies would be taken for what killed it.
        self._at_work = [future for future in self._at_work if not future.done()]
        return len(self._at_work) < max(1, self._workers())

    def submit(self, step: Step, inputs: list[Artifact], urgency: float) -> Future[Done]:
        data = self._names[step.dataset.name, step.profile.name]
        # A teacher's answers are more than Dask likes to send with a task; as data of their own they could be lost.
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):
            future: Future[Done] = self._executor.submit(
                _do, step, inputs, step.tools, data, key=f"optsuite-{step.key}", priority=urgency
            )
        self._at_work.append(future)
        return future

    def close(self) -> None:
        for future in self._at_work:
            future.cancel()
        with contextlib.suppress(OSError):  # there may be nobody left to tell
            for name in self._names.values():
                self._client.unregister_worker_plugin(name)
        self._client.close()


def _do(step: Step, inputs: list[Artifact], tools: Mapping[str, str], data: str) -> Done:
    """On a worker: the step, with the data that came here before."""
    if step.tools != tools:
        other = sorted({name for name, _ in step.tools.items() ^ tools.items()})
        raise OptsuiteError(f"the worker differs in {', '.join(other)}; accepted is what asks it to build")
    with _alone:
        return build.timed(replace(step, dataset=replace(step.dataset, load=_data[data].__getitem__)), inputs)
