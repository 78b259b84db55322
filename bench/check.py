"""Fails if a pure stage costs more instructions than before: ``python -m bench.check [--update]``.

valgrind counts them, so other load on the machine does not matter. Taking the difference of two runs excludes the
interpreter's start.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from bench.stages import STAGES
from tickwire.compiled import native

_FIGURES = Path(__file__).with_name("instructions.json")
_ROUNDS = (5, 15)
_MOST = 1.10
_COLLECTED = re.compile(r"Collected : (\d+)")


def count(stage: str) -> int:
    """Instructions of one round of a stage."""
    few, many = (_instructions(stage, rounds) for rounds in _ROUNDS)
    return (many - few) // (_ROUNDS[1] - _ROUNDS[0])


def _instructions(stage: str, rounds: int) -> int:
    done = subprocess.run(
        [
            "valgrind",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            sys.executable,
            "-m",
            "bench.stages",
            stage,
            str(rounds),
        ],
        env=os.environ | {"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = _COLLECTED.search(done.stderr)
    if done.returncode or found is None:
        raise SystemExit(f"error: valgrind could not run the stage {stage}: {done.stderr[-500:]}")
    return int(found[1])


def key() -> str:
    """The versions that the figures depend on. The same code counts the same with msgspec 0.22 and 0.23, to 0.2 %."""
    form = "compiled" if native else "Python"
    return f"Python {sys.version_info[0]}.{sys.version_info[1]}, {form}"


def main() -> int:
    """Count, then compare or write."""
    parser = argparse.ArgumentParser(prog="bench.check")
    parser.add_argument("--update", action="store_true", help="make the counts of now the figures to compare with")
    update = parser.parse_args().update
    if shutil.which("valgrind") is None:
        sys.stderr.write("error: valgrind is not installed: install it (Debian: valgrind) and run again.\n")
        return 2
    figures: dict[str, dict[str, int]] = json.loads(_FIGURES.read_text()) if _FIGURES.exists() else {}
    known = figures.get(key())
    if known is None and not update:
        sys.stderr.write(
            f"error: {_FIGURES.name} has no figures for {key()}: "
            "run `make bench-check UPDATE=1` on a version that is fast enough.\n"
        )
        return 2
    counts = {stage: count(stage) for stage in STAGES}
    slower = []
    for stage, now in counts.items():
        before = now if known is None else known.get(stage, now)
        print(f"{stage:10} {now:>12,} instructions a round, {now / before:.3f} of the figure")
        if now > before * _MOST:
            slower.append(stage)
    if update:
        figures[key()] = counts
        _FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
        return 0
    if slower:
        sys.stderr.write(f"error: over 10 % more instructions than the figure: {', '.join(slower)}.\n")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
