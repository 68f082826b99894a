"""What the user runs: `pytest benchmarks/`, or `pytest --pyargs optsuite.benchmarks` from anywhere."""
