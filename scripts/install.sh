#!/usr/bin/env bash
# Creates the virtual environment VENV with every Assay package and the pinned versions of constraints.txt.
# Usage: scripts/install.sh VENV [PACKAGE_FOLDER ...]   (all packages and the test tools when none is named)
# EDITABLE=no copies the packages into the environment, as the images do, instead of pointing at this folder.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:?usage: scripts/install.sh VENV [PACKAGE_FOLDER ...]}
shift
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11))' || {
    echo "Assay needs Python 3.11 or newer; set PYTHON to one." >&2
    exit 1
}
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
[ -x "$venv/bin/uv" ] || "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv
if [ $# -gt 0 ]; then
    packages=("$@")
    extra=()
else
    packages=(schemas chassis services/scheduler services/trainer services/evaluator services/reporter client deploy/local)
    extra=(--requirement requirements-dev.txt)
fi
sources=()
for package in "${packages[@]}"; do
    if [ "${EDITABLE:-yes}" = no ]; then sources+=("./$package"); else sources+=(--editable "$package"); fi
done
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --constraint constraints.txt "${extra[@]}" "${sources[@]}"
# Without kept bytecode every start compiles the libraries. Images, built of named packages, do without that script.
if [ ${#extra[@]} -gt 0 ]; then "$venv/bin/python" scripts/keep_bytecode.py; fi
