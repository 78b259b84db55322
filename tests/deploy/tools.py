"""Programs of others that check what is in ``deploy/``; where one is missing, the tests that need it are skipped."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def need(program: str, package: str) -> str:
    """The path of a program; without it the test is skipped, or fails where CI has to have it."""
    found = shutil.which(program)
    if found is not None:
        return found
    reason = f"{program} was not found: on Debian `apt-get install {package}`."
    if os.environ.get("TICKWIRE_REQUIRE_KAFKA") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def run(*command: str | Path) -> str:
    """What a program that has to end well says."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
