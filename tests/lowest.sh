#!/bin/sh
# Runs the real commands with the packages of the environment $1 (its bin folder), in the folder $2, which is emptied.
# Warnings are errors: all of them in the tests, FutureWarning in the commands.
set -eu
bin=$(cd "$1" && pwd)
benchmarks=$(cd "$(dirname "$0")/../benchmarks" && pwd)
rm -rf "$2"
mkdir -p "$2"
cd "$2"
"$bin/pytest" "$benchmarks" -c /dev/null -W error -p no:cacheprovider --optsuite-profile=smoke --optsuite-models=dscnn \
    --optsuite-recipes=baseline,prune-0.8 --optsuite-cache=store --benchmark-json=run.json --benchmark-quiet
export PYTHONWARNINGS=error::FutureWarning
"$bin/optsuite" report run.json --out report > /dev/null
"$bin/optsuite" compare run.json run.json > /dev/null
"$bin/optsuite" store get run.json dscnn_baseline_s0 int8 int8.tflite --cache store
"$bin/optsuite" store get run.json dscnn_baseline_s0 fp32 fp32.tflite --cache store
"$bin/optsuite" ab int8.tflite fp32.tflite
"$bin/python" -c "
import numpy as np
from optsuite.catalog.datasets import load_mnist
test = load_mnist('test').first(200)
np.savez('data.npz', x_test=test.x, y_test=test.y)"
"$bin/optsuite" measure int8.tflite fp32.tflite --data data.npz --json measured.json
"$bin/optsuite" report measured.json --out measured > /dev/null
