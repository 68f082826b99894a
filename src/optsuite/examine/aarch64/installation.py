"""What counts instructions on ARM cores: LiteRT for aarch64, the program that calls it, and QEMU's plugin."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from optsuite import programs
from optsuite.errors import OptsuiteError

LITERT = "2.1.0"
"""The version of LiteRT: the last whose library has TensorFlow Lite's C interface."""
_WHEEL_SHA256 = "92b24d2507fccf5680c26e712c156266dcf64a892df3921dd42f4a7d26527462"
_LIBRARY = "libLiteRt.so"
_SYSROOT = Path("/usr/aarch64-linux-gnu")
"""Where Debian's cross compiler has the C library for aarch64."""
_PACKAGES = {"qemu-aarch64": "qemu-user", "gcc": "gcc", "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu"}
"""The programs that it takes -> the packages of Debian and Ubuntu that have them."""
COMMAND = (
    f"apt-get install {' '.join(_PACKAGES.values())} libc6-dev-arm64-cross libstdc++6-arm64-cross && "
    "optsuite install-aarch64"
)
"""The command that installs everything."""


@dataclass(frozen=True)
class Installation:
    """A folder of what was installed.

    Attributes:
        folder: The folder; its name has the `digest`.

    """

    folder: Path

    def command(self, core: str, *arguments: str) -> list[str]:
        """Return the command that runs the program on a core, with these arguments, and counts instructions."""
        qemu = ["qemu-aarch64", "-cpu", core, "-L", str(_SYSROOT), "-plugin", str(self.folder / "counter.so")]
        return [*qemu, "-E", f"LD_LIBRARY_PATH={self.folder}", str(self.folder / "runner"), *arguments]


def installed() -> Installation:
    """Return the installation; OptsuiteError, which names the command that installs it, where there is none."""
    missing = _missing()
    if missing or not _folder().is_dir():
        raise OptsuiteError(f"{missing or f'LiteRT {LITERT} for aarch64'} is not installed: {COMMAND}")
    return Installation(_folder())


def install() -> Installation:
    """Download LiteRT for aarch64, and compile the program and the plugin; nothing, where that was done.

    Raises:
        OptsuiteError: A program is missing, or one of them failed.

    """
    if missing := _missing():
        raise OptsuiteError(f"{missing} is not installed: {COMMAND}")
    folder = _folder()
    if folder.is_dir():
        return Installation(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Moved into place when it is whole: another process sees all of it, or nothing.
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        made = Path(temporary) / "made"
        made.mkdir()
        with zipfile.ZipFile(_downloaded(Path(temporary))) as wheel:
            (made / _LIBRARY).write_bytes(wheel.read(f"ai_edge_litert/{_LIBRARY}"))
        sources = files(__package__)
        compile_plugin = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(made / "counter.so")]
        _run([*compile_plugin, str(sources / "counter.c")])
        compile_runner = ["aarch64-linux-gnu-gcc", "-O2", "-o", str(made / "runner")]
        # The C++ library that LiteRT needs is found when the program starts.
        link = [str(made / _LIBRARY), "-Wl,--allow-shlib-undefined"]
        _run([*compile_runner, str(sources / "runner.c"), *link])
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # or else another process was faster
                raise
    return Installation(folder)


def _missing() -> str:
    """Return the first program that is not on this machine, or an empty string."""
    needed = [*map(shutil.which, _PACKAGES), next(_SYSROOT.glob("lib/libstdc++.so.6"), None)]
    return next(
        (name for name, found in zip([*_PACKAGES, "libstdc++ for aarch64"], needed, strict=True) if not found), ""
    )


@functools.cache
def digest() -> str:
    """Return the first 16 digits of the SHA-256 of all that is installed: our sources and the wheel."""
    sources = [(files(__package__) / name).read_bytes() for name in ("counter.c", "runner.c")]
    return hashlib.sha256(b"\0".join([*sources, _WHEEL_SHA256.encode()])).hexdigest()[:16]


@functools.cache
def _folder() -> Path:
    """The folder of the installation, below the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "optsuite" / f"aarch64-{digest()}"


def _downloaded(folder: Path) -> Path:
    """Download the wheel into a folder; pip refuses one whose SHA-256 is another."""
    requirements = folder / "requirements.txt"
    requirements.write_text(f"ai-edge-litert=={LITERT} --hash=sha256:{_WHEEL_SHA256}\n")
    platform = ["--platform=manylinux_2_27_aarch64", "--implementation=cp", "--python-version=3.11", "--abi=cp311"]
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes", *platform, f"--dest={folder}"]
    _run([sys.executable, "-m", "pip", "download", *options, f"--requirement={requirements}"])
    (wheel,) = folder.glob("*.whl")
    return wheel


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise OptsuiteError(f"{' '.join(command[:4])} failed: {programs.why(done)}")
