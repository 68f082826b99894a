"""The files of a store that crash LiteRT, and those that were seen to run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from importlib.metadata import version

from optsuite.examine.crashes import crashing
from optsuite.spec.artifact import TFLITE
from optsuite.store.store import Store


def crashing_keys(store: Store, keys: Iterable[str]) -> set[str]:
    """Return those of the keys whose .tflite file crashes LiteRT.

    What was seen to run is noted in the store, with the version of LiteRT, and not tried again.
    """
    runtime = version("ai-edge-litert")
    try:
        noted = set(store.crash_tested.read_text("utf-8", "replace").splitlines())
    except OSError:
        noted = set()
    new = [key for key in keys if f"{key} {runtime}" not in noted]
    files = {key: artifact[TFLITE] for key in new if (artifact := store.get(key)) and TFLITE in artifact}
    found = set(crashing(files))
    # A store that can't be written is tried again the next time.
    with contextlib.suppress(OSError), store.crash_tested.open("a", encoding="utf-8") as file:
        file.writelines(f"{key} {runtime}\n" for key in files if key not in found)
    return found
