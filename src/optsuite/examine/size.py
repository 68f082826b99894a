"""The sizes of a file: as it is, and compressed as most downloads are."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from optsuite.examine.examination import Examination, ExaminationTask
from optsuite.results.examined import Sizes


@dataclass(frozen=True, kw_only=True)
class Size(Examination[Sizes]):
    """The size of a file in bytes, and after gzip -9."""

    name: str = "size"
    record = Sizes

    def tools(self) -> Mapping[str, str]:
        return {"zlib": zlib.ZLIB_RUNTIME_VERSION}

    def run(self, task: ExaminationTask) -> Sizes:
        return Sizes(bytes=len(task.content), gzip_bytes=gzip_bytes(task.content))


def gzip_bytes(content: bytes) -> int:
    """Return the size after gzip -9 in bytes, without a time stamp."""
    return len(gzip.compress(content, compresslevel=9, mtime=0))
