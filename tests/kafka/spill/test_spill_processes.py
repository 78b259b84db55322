"""Other processes: one that holds the folder, and one that is killed while it writes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kafka.spill.spill_support import open_log, read_all, record
from tickwire.errors import SpillUnusable

HOLD = """
import sys
from pathlib import Path
from kafka.spill.spill_support import open_log
log = open_log(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""

# Says what it is about to acknowledge before, and what it has appended after.
WRITE = """
import os, sys, time
from pathlib import Path
from kafka.spill.spill_support import record
from tickwire.kafka.spill import SpillLog
log = SpillLog.open(Path(sys.argv[1]), max_bytes=400_000, fsync_ms=5)
name = 0
while True:
    for _ in range(20):
        name += 1
        number = log.append(record(name, b"v" * (name % 400)))
        os.write(1, f"appended {number} {name}\\n".encode())
    for number, _ in log.read(19):
        os.write(1, f"acknowledging {number} 0\\n".encode())
        log.acknowledge(number)
    log.sync()
"""


def start(program: str, folder: Path) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(str(p) for p in (Path(__file__).parents[2], *filter(None, sys.path)))
    return subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )


def test_a_second_process_is_told_who_has_the_folder(tmp_path: Path) -> None:
    with start(HOLD, tmp_path) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"open\n"
        with pytest.raises(SpillUnusable) as caught:
            open_log(tmp_path)
        assert str(owner.pid) in str(caught.value)
        assert str(tmp_path) in str(caught.value)
        owner.kill()
    open_log(tmp_path).close()  # a dead process holds nothing


@pytest.mark.parametrize("lines", [1, 500, 3000, 12_000])
def test_killed_while_writing_everything_it_reported_is_there(tmp_path: Path, lines: int) -> None:
    with start(WRITE, tmp_path) as writer:
        assert writer.stdout is not None
        report = [writer.stdout.readline() for _ in range(lines)]
        writer.kill()
        report += writer.stdout.readlines()
    words = [line.split() for line in report if line.endswith(b"\n")]
    appended = {int(number): int(name) for what, number, name in words if what == b"appended"}
    acknowledged = {int(number) for what, number, _ in words if what == b"acknowledging"}

    log = open_log(tmp_path, max_bytes=400_000)
    found = read_all(log)
    log.close()

    assert appended.keys() - acknowledged <= found.keys()
    assert all(found[n] == record(appended[n], b"v" * (appended[n] % 400)) for n in found.keys() & appended.keys())
    assert len(found.keys() - appended.keys()) <= 1  # written, and killed before it could say so
    assert log.recovered.lost_records == 0
