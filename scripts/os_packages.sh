#!/usr/bin/env bash
# Looks for what the operating system must bring (off-screen OpenGL, Python's venv) and installs what is missing, where it may.
# SKIP_OS_PACKAGES=1 goes on without. WITH_BROWSER=1 looks for Chromium instead, which some tests use; going on without it is no failure.
set -euo pipefail

PYTHON="${PYTHON:-python3}"

fail() {
  printf 'exo2ego: %s\n' "$*" >&2
  exit 1
}

command -v "$PYTHON" >/dev/null 2>&1 || fail "no '$PYTHON' on the PATH: install Python 3.11 or newer, or name one: PYTHON=/path/to/python3.12 make ..."
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "'$PYTHON' is Python $("$PYTHON" -c 'import platform; print(platform.python_version())'), needed is 3.11 or newer: PYTHON=/path/to/python3.12 make ..."

# A library counts as present when the dynamic loader finds it: that is how the renderer will look for it.
loads() {
  "$PYTHON" -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "$1" >/dev/null 2>&1
}

software_gl() {
  local found
  found=$(find /usr/lib /usr/lib64 \( -name 'swrast_dri.so' -o -name 'libgallium-*.so' \) -print -quit 2>/dev/null || true)
  [ -n "$found" ]
}

missing=()
if [ "${WITH_BROWSER:-0}" = 1 ]; then
  fail() {
    printf 'exo2ego: the tests of the web page will be skipped: %s\n' "$*" >&2
    exit 0
  }
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$name" >/dev/null 2>&1 && exit 0
  done
  missing+=(chromium)
else
  loads libEGL.so.1 || missing+=(libegl1)
  loads libOpenGL.so.0 || loads libGL.so.1 || missing+=(libopengl0)
  loads libEGL_nvidia.so.0 || software_gl || missing+=(libgl1-mesa-dri)
  "$PYTHON" -c 'import ensurepip, venv' >/dev/null 2>&1 || missing+=("python$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv")
fi

[ "${#missing[@]}" -eq 0 ] && exit 0
[ "${SKIP_OS_PACKAGES:-0}" = 1 ] && exit 0

run_as_root=()
[ "$(id -u)" -eq 0 ] || run_as_root=(sudo -n)
by_hand="${run_as_root:+sudo }apt-get update && ${run_as_root:+sudo }apt-get install -y --no-install-recommends ${missing[*]}"
advice="missing from this system: ${missing[*]}. Install with: $by_hand   (SKIP_OS_PACKAGES=1 goes on without)"

command -v apt-get >/dev/null 2>&1 || fail "missing from this system (Debian's names): ${missing[*]}. Install what your system calls them (SKIP_OS_PACKAGES=1 goes on without)"
if [ "${#run_as_root[@]}" -gt 0 ] && ! sudo -n true >/dev/null 2>&1; then
  fail "$advice"
fi
echo "exo2ego: installing ${missing[*]}"
"${run_as_root[@]}" apt-get update -qq || echo "exo2ego: 'apt-get update' failed, trying with the lists at hand" >&2
"${run_as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || fail "$advice"
