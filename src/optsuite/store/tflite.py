"""The .tflite files that runs measured, from the store."""

from __future__ import annotations

import hashlib

from optsuite.errors import OptsuiteError
from optsuite.results.measured import Measured
from optsuite.spec.artifact import TFLITE
from optsuite.store.store import Store


def content(store: Store, measured: Measured) -> bytes:
    """The file of a row; OptsuiteError where it is not in the store, or is not what was measured."""
    found = (store.get(measured.key) or {}).get(TFLITE)
    if found is None or hashlib.sha256(found).hexdigest() != measured.sha256:
        raise OptsuiteError(
            f"{measured.experiment} {measured.variant} as it was measured is not in {store.root}; expected a store "
            "that has it (--cache)"
        )
    return found
