"""Starting processes that run our code and nothing of the script that started the run."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any


def executor(initializer: Callable[..., object] | None = None, *arguments: Any) -> ProcessPoolExecutor:
    """Return an executor of one process, which is already started.

    The process is spawned, as TensorFlow does not survive a fork, and calls `initializer` with `arguments` first. It
    ends when this process ends, by whatever.
    """
    opened = ProcessPoolExecutor(
        1, mp_context=get_context("spawn"), initializer=_prepare, initargs=(initializer, arguments)
    )
    with _main_is_not_imported():
        opened.submit(_start)
    return opened


def _start() -> None:
    pass


def _prepare(initializer: Callable[..., object] | None, arguments: tuple[Any, ...]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if initializer:
        initializer(*arguments)


def _end_with_parent() -> None:
    """Else the processes of a run that was killed would go on to the end of their work, for minutes, on every core."""
    parent = parent_process()
    if parent:
        parent.join()
        os._exit(1)


@contextmanager
def _main_is_not_imported() -> Iterator[None]:
    """Have multiprocessing not import the main module in the processes that are started meanwhile.

    A script that calls `pytest.main()` at its top would run again in each of them.
    """
    main = sys.modules["__main__"]
    names = ("__spec__", "__file__")
    kept: dict[str, Any] = {name: main.__dict__.pop(name) for name in names if name in main.__dict__}
    main.__spec__ = None
    try:
        yield
    finally:
        main.__dict__.update(kept)
