"""Fuzz one target: ``python -m fuzz NAME SECONDS FORM``, with ``tests`` on PYTHONPATH; FORM is python or compiled.

Guided by the coverage of what is Python in ``src/``. What it finds is left as ``crash-…`` in the current folder; once
mended, it goes to ``corpus/NAME/``.
"""

import sys
import tempfile
from pathlib import Path

import atheris  # `make fuzz` installs it

with atheris.instrument_imports(include=["tickwire"]):
    from forms import use
    from fuzz.targets import CORPUS, TARGETS


def main() -> None:
    """Seed a folder and run until the time is over or something is found."""
    name, seconds, form = sys.argv[1:]
    target, seeds = TARGETS[name]
    with tempfile.TemporaryDirectory() as folder, use(form):
        for number, seed in enumerate((*seeds(), *(path.read_bytes() for path in (CORPUS / name).glob("*")))):
            (Path(folder) / f"seed-{number}").write_bytes(seed)
        # Seeds stay where they reach nothing new: of compiled forms nothing is seen, so all would come of one input.
        limits = ["-keep_seed=1", f"-max_total_time={seconds}", "-max_len=20000", "-timeout=20", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *limits, folder], target)
        atheris.Fuzz()


main()
