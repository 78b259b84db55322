"""No object of the compiled part brings the process down, however it is made, filled and called.

Each test is a process of its own, so that one which dies is one failure.
"""

import subprocess
import sys
from pathlib import Path

import pytest

native = pytest.importorskip("tickwire._native", reason="the compiled part was not built")

TYPES = [name for name in dir(native) if isinstance(getattr(native, name), type)]

PROGRAM = Path(__file__).with_name("compiled_steps.py")


@pytest.mark.parametrize("focus", TYPES)
def test_no_order_of_calls_brings_the_process_down(focus: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(PROGRAM), focus, "1"],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{focus} 0" not in done.stdout.splitlines()  # or nothing was tried
