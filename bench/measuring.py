"""What one cell measures of its own process."""

import json
import resource
import time
from pathlib import Path
from typing import Any


class Meter:
    """Counts from :meth:`begin` to :meth:`end`: seconds, processor seconds of all threads, largest memory."""

    def begin(self, messages: int) -> None:
        """Start, when *messages* have been seen already."""
        self._from = messages
        self._at, self._cpu = time.monotonic(), _cpu_seconds()

    def end(self, messages: int, **more: Any) -> None:
        """Print one JSON line."""
        seconds, cpu_seconds, done = time.monotonic() - self._at, _cpu_seconds() - self._cpu, messages - self._from
        rss_mib = _largest_kib() / 1024
        line = {"messages": done, "seconds": seconds, "cpu_seconds": cpu_seconds, "rss_mib": rss_mib}
        print(json.dumps(line | more), flush=True)


def _largest_kib() -> int:
    """Not getrusage's, which is at least that of the process which started this one."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
