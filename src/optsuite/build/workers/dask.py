"""The workers of a Dask cluster that build. No disk is shared: artifacts travel as bytes, the data once per worker."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from importlib.metadata import version
from typing import Any

import dask
from distributed import Client, KilledWorker, Scheduler, SchedulerPlugin, Worker, WorkerPlugin
from distributed.client import ClosedClientError

from optsuite.build.scheduler import DEATHS_ALLOWED, UnplacedError
from optsuite.build.step import Done, Step, timed
from optsuite.errors import OptsuiteError
from optsuite.spec.artifact import Artifact
from optsuite.spec.data import Split

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


class _GiveUpOnKillers(SchedulerPlugin):
    """Gives up on a build step when it killed its second worker, whatever the scheduler allows other tasks."""

    idempotent = True

    def update_graph(self, scheduler: Scheduler, *, tasks: list[Any], **others: Any) -> None:
        for key in tasks:
            if str(key).startswith("optsuite-"):
                scheduler.tasks[key].suspicious = scheduler.allowed_failures - DEATHS_ALLOWED


class DaskWorkers:
    """The workers that the scheduler at `address` (HOST:PORT) has at any time, for these steps.

    They and the scheduler need optsuite, in the version that is here. OptsuiteError where no scheduler answers, and
    later where it is gone.
    """

    def __init__(self, address: str, steps: Collection[Step]) -> None:
        self._address = address
        self._run = f"optsuite-{uuid.uuid4().hex}"
        """Begins the names of all that this run has on the cluster: another may build the same there."""
        self._at_work: list[tuple[Future[Done], Collection[str] | None]] = []
        """The steps at work, each with the addresses of the workers that may do it; None for all."""
        self._known: dict[tuple[str, str], bool] = {}
        """What a step needs, and the address of a worker -> whether that worker is like this machine in it."""
        self._data: set[str] = set()
        try:
            self._client = Client(f"tcp://{address}", timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise OptsuiteError(
                f"no Dask scheduler answers at {address} ({error}); expected HOST:PORT of a running scheduler"
            ) from error
        self._executor = self._client.get_executor()
        try:
            self._client.register_plugin(_GiveUpOnKillers(), "optsuite")
            for step in steps:
                self._bring(step)
            self.title = f"on {self._workers()} workers of the Dask scheduler at {address}"
        except Exception as error:  # what a worker raised arrives as a plain Exception
            self.close()
            raise OptsuiteError(
                f"the Dask scheduler at {address}, or a worker, can't build ({error}); "
                "expected a scheduler and workers with "
                f"optsuite[cluster] {version('optsuite')} installed"
            ) from error
        except BaseException:
            self.close()
            raise

    def _name(self, step: Step) -> str:
        return "-".join([self._run, step.dataset.name, step.profile.name, *step.needs])

    def _bring(self, step: Step) -> None:
        """Have a step's data on all workers."""
        name = self._name(step)
        if name not in self._data:
            self._data.add(name)
            splits = {split: step.split(split) for split in step.needs}
            self._client.register_plugin(_Data(name, splits), name)

    def _alike(self, step: Step) -> list[str] | None:
        """The workers of now that are like this machine in what the step needs; None where it needs nothing of it."""
        here = step.machine()
        if not here:
            return None
        with self._asking():
            workers = list(self._client.nthreads())
            if new := [worker for worker in workers if (str(here), worker) not in self._known]:
                # A worker that lacks a tool raises, which is another answer than that of this machine.
                found = self._client.run(step.machine, workers=new, on_error="return")
                self._known |= {(str(here), worker): there == here for worker, there in found.items()}
        return [worker for worker in workers if self._known.get((str(here), worker))]

    def takes(self, step: Step) -> bool:
        return self._alike(step) != []

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except (OSError, AttributeError, ClosedClientError) as error:  # a client that gave up has no scheduler to ask
            raise OptsuiteError(
                f"the Dask scheduler at {self._address} is gone ({error}); start the run again"
            ) from error

    def _workers(self) -> int:
        with self._asking():
            return len(self._client.nthreads())

    def free(self) -> bool:
        # No more than there are workers: what waits for a worker that dies would be taken for what killed it.
        self._at_work = [(future, places) for future, places in self._at_work if not future.done()]
        with self._asking():
            workers = self._client.nthreads()
        for future, places in self._at_work:
            if places is not None and not set(places) & set(workers):
                future.cancel()  # Dask would wait for a worker that is gone; the step is tried again elsewhere
        places_used = {place for _, places in self._at_work for place in (workers if places is None else places)}
        able = len(places_used & set(workers)) if self._at_work else 1
        return len(self._at_work) < max(1, able)

    def submit(self, step: Step, inputs: list[Artifact], urgency: float) -> Future[Done]:
        places = self._alike(step)
        if places == []:
            gone: Future[Done] = Future()
            gone.set_exception(UnplacedError())
            return gone
        # A teacher's answers are more than Dask likes to send with a task; as data of their own they could be lost.
        with self._asking(), dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):
            submitted = self._executor.submit(
                _do,
                step,
                inputs,
                self._name(step),
                key=f"{self._run}-{step.key}-{uuid.uuid4().hex}",
                priority=urgency,
                workers=places,
            )
        self._at_work.append((submitted, places))
        future: Future[Done] = Future()
        submitted.add_done_callback(partial(_pass_on, future))
        return future

    def close(self) -> None:
        for future, _ in self._at_work:
            future.cancel()
        for name in self._data:
            with contextlib.suppress(Exception):  # there may be no scheduler left
                self._client.unregister_worker_plugin(name)
        self._client.close()


def _pass_on(future: Future[Done], submitted: Future[Done]) -> None:
    """Bring Dask's answer into the form that `scheduler.Workers` expects."""
    if submitted.cancelled():
        future.cancel()
        future.set_running_or_notify_cancel()
    elif (error := submitted.exception()) is None:
        future.set_result(submitted.result())
    elif isinstance(error, KilledWorker):
        last = f"the last at {error.last_worker.address}"
        future.set_exception(OptsuiteError(f"it killed {DEATHS_ALLOWED + 1} workers, {last}; see that worker's log"))
    else:
        future.set_exception(error)


def _do(step: Step, inputs: list[Artifact], data: str) -> Done:
    """On a worker: the step, with the data that came here before."""
    if data not in _data:
        raise OptsuiteError("its data is not on the worker: the Dask scheduler was started again; start the run again")
    with _alone:
        return timed(step, inputs, _data[data])
