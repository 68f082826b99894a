"""Run pytest with a Dask scheduler and two workers, which are started for it.

python -m optsuite.benchmarks.cluster PYTEST ARGUMENTS...
"""

from __future__ import annotations

import subprocess
import sys

from distributed import LocalCluster


def main(arguments: list[str]) -> int:
    """Run pytest with these arguments, and return its exit code."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        builders = cluster.scheduler_address.replace("tcp://", "--optsuite-builders=dask://")
        return subprocess.run([sys.executable, "-m", "pytest", builders, *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
