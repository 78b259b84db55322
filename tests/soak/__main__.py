"""``python -m soak MINUTES [SEED]``: exit code 0 if all is accounted for, 1 with a line for each thing that is not."""

import logging
import shutil
import sys
import tempfile
from pathlib import Path

from brokers import CACHE
from faults.programs import ProgramFailed
from soak.run import Soak
from tickwire.broker import ApacheCluster
from tickwire.errors import TickwireError


def main() -> int:
    """Run one soak on three nodes of its own."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    try:
        minutes, seed = float(sys.argv[1]), int((*sys.argv, "1")[2])
    except (IndexError, ValueError):
        minutes, seed = 0.0, 0
    if not 0 < minutes < 10_000:
        sys.stderr.write(
            "error: expected a number of minutes, and a whole one as seed: `make soak MINUTES=10 SEED=2`\n"
        )
        return 2
    folder = Path(tempfile.mkdtemp(prefix="tickwire-soak-"))
    sys.stdout.write(f"A soak of {minutes:g} minutes, seed {seed}, in {folder}, which is removed if it passes\n")
    sys.stdout.flush()
    try:
        with ApacheCluster(3, folder / "kafka", CACHE) as cluster:
            findings = Soak(cluster, folder, "soak", minutes * 60, seed).run()
    except (ProgramFailed, TickwireError) as error:
        sys.stdout.write(f"WRONG  {error}\nSoak FAILED.\n")
        return 1
    sys.stdout.writelines(f"{line}\n" for line in findings.lines())
    if findings.violations():
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
