"""What was freed is given back, in a process of its own, because the setting cannot be undone."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from pathlib import Path
from tickwire.cli.allocator import give_memory_back
def resident():
    return next(int(l.split()[1]) for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmRSS"))
if sys.argv[1] == "yes":
    give_memory_back()
bytearray(b"x") * (20 << 20)
before = resident()
held = [bytearray(b"x") * (20 << 20), bytearray(b"x") * 100_000]
del held[0]
print(resident() - before)
"""


@pytest.mark.parametrize(("called", "kept"), [("yes", False), ("no", True)])
def test_a_large_block_that_was_freed_is_no_longer_resident(called: str, kept: bool) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, called], capture_output=True, text=True, check=True)
    assert (int(done.stdout) > 10 * 1024) == kept
