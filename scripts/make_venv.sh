#!/usr/bin/env bash
# Makes the virtual environment and installs the package with its tested versions; safe to run again.
set -euo pipefail

PYTHON="${PYTHON:-python3}"
VENV="${VENV:-.venv}"

[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
echo "exo2ego: installing into $VENV (about 2 GB with the CPU build of torch)"
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' || {
  echo "exo2ego: the installation failed; the lines above say why. Run the same command again to go on." >&2
  exit 1
}
