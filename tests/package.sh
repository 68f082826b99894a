#!/bin/sh
# Installs the wheel and the sdist in the folder $2 into new environments, with uv from the folder $1, on each supported
# Python that this machine has, and runs commands with them in the folder $3, which is emptied. No TensorFlow: a machine
# that measures and reports needs none.
set -eu
uv=$(cd "$1" && pwd)/uv
packages=$(cd "$2" && pwd)
run=$(cd "$(dirname "$0")/../reports/mnist" && pwd)/run.json
rm -rf "$3"
mkdir -p "$3"
cd "$3"

# pyenv's Pythons are no commands unless they were chosen.
find_python() {
    for python in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
        if "$python" --version > /dev/null 2>&1; then
            echo "$python"
            return
        fi
    done
}

check() { # check NAME PYTHON PACKAGE
    "$uv" venv --quiet --python "$2" "$1"
    "$uv" pip install --quiet --python "$1" "$3"
    "$1/bin/optsuite" --version
    "$1/bin/optsuite" recommend "$run" > /dev/null
    "$1/bin/optsuite" report "$run" --out "$1/report" > /dev/null
    "$1/bin/optsuite" store get "$run" none_s0 int8 model.tflite 2> /dev/null && exit 1
    "$1/bin/python" -c "import optsuite.results; print(len(optsuite.results.read('$run').to_frame()), 'rows')"
    # Without TensorFlow nothing can be built, and pytest says what to install.
    "$1/bin/python" -m pytest --pyargs optsuite.benchmarks --collect-only --quiet --optsuite-recipes=baseline > "$1/tests.txt"
    grep --quiet "test_latency\[conv_baseline_s0-int8\]" "$1/tests.txt"
    echo "$1: $3 works"
}

size=$(wc -c < "$(echo "$packages"/*.whl)")
test "$size" -lt 15000000 || { echo "expected a wheel of less than 15 MB, got $size bytes"; exit 1; }
checked=0
for version in 3.11 3.12 3.13; do
    python=$(find_python "$version")
    if [ -z "$python" ]; then
        echo "Python $version is not on this machine: not checked"
        continue
    fi
    check "wheel-$version" "$python" "$packages"/*.whl
    checked=$((checked + 1))
done
test "$checked" -gt 0
check sdist "$python" "$packages"/*.tar.gz
