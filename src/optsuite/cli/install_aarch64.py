"""`optsuite install-aarch64`: install what counts instructions on ARM cores."""

from __future__ import annotations

import click


@click.command("install-aarch64")
def command() -> int:
    """Install what counts instructions on ARM cores.

    It downloads LiteRT for aarch64 from the package index that pip uses, and compiles what calls it and QEMU's plugin.
    Both go into the user's cache folder ($XDG_CACHE_HOME/optsuite, by default ~/.cache/optsuite). QEMU and the
    compilers are packages of the system; an error names what is missing.
    """
    from optsuite.examine.aarch64.installation import install

    print(f"what counts instructions on ARM cores is in {install().folder}")
    return 0
