"""The catalog that most tests select from."""

from __future__ import annotations

from optsuite.catalog.catalog import Catalog

BUILTIN = Catalog.builtin()
