"""Measures the process that it runs in, and says on which machine."""

import json
import os
import platform
import resource
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any


class Meter:
    """Measures from :meth:`begin` to :meth:`end`: seconds, processor time and wake-ups of all threads, peak memory."""

    def begin(self, messages: int) -> None:
        """Start, after *messages* messages have been seen."""
        self._from = messages
        self._at, self._cpu, self._wakes = time.monotonic(), _cpu_seconds(), _wakes()
        self._until: tuple[float, float] | None = None

    def note(self) -> None:
        """Note that work was done until now: time after the last call does not count."""
        self._until = time.monotonic(), _cpu_seconds()

    def end(self, messages: int, **more: Any) -> None:
        """Print one JSON line."""
        at, cpu = self._until or (time.monotonic(), _cpu_seconds())
        seconds, cpu_seconds, done = at - self._at, cpu - self._cpu, messages - self._from
        rss_mib = resident_mib("VmHWM")
        wakes = _wakes() - self._wakes
        line = {"messages": done, "seconds": seconds, "cpu_seconds": cpu_seconds, "wakes": wakes, "rss_mib": rss_mib}
        print(json.dumps(line | more), flush=True)


def resident_mib(which: str = "VmRSS") -> float:
    """Memory of this process: now, or (``VmHWM``) the most so far; not getrusage's, which includes the parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(which + ":")) / 1024


def machine() -> str:
    """Date, machine and versions, as a sentence."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if "model name" in line), platform.machine())
    libraries = ", ".join(f"{name} {version(name)}" for name in ("confluent-kafka", "picows", "msgspec", "uvloop"))
    python = f"Python {platform.python_version()}"
    return f"{datetime.now(UTC):%Y-%m-%d}, {model}, {os.cpu_count()} cores, {python}, {libraries}."


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _wakes() -> int:
    """How often a thread waited for something (voluntary context switches)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
