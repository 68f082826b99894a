"""The benchmarks: `pytest benchmarks/`, or `pytest --pyargs optsuite.benchmarks` from anywhere."""
