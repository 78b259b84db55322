"""Two producers on disjoint symbols compared with one, each limited to a part of a core, so few cores are enough."""

import contextlib
import os
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench import cells
from bench.cells import Work
from tickwire.broker.ports import free_ports

_GROUPS = Path("/sys/fs/cgroup/cpu")  # https://docs.kernel.org/scheduler/sched-bwc.html
_PERIOD_US, _QUOTA_US = 10_000, 2_500
_KINDS = {"tickers": 100_000, "deltas": 60_000}


def table(bootstrap: str, rounds: int = 2) -> list[str]:
    """Rates of one and of two producers, measured alternately, and their ratio."""
    if not os.access(_GROUPS / "cpu.cfs_quota_us", os.W_OK):
        return ["Not measured: it takes a cgroup (v1) whose processor time this user may limit."]
    lines = ["| messages | one, 1/s | two, 1/s together | two / one |", "| --- | --- | --- | --- |"]
    for kind, count in _KINDS.items():
        alone, both = [], []
        for _ in range(rounds):
            alone.append(_rate(bootstrap, [Work(kind, count)]))
            both.append(_rate(bootstrap, [Work(kind, count), Work(kind, count, start=100)]))
        ratio = statistics.median(two / one for one, two in zip(alone, both, strict=True))
        lines.append(f"| {kind} | {statistics.median(alone):,.0f} | {statistics.median(both):,.0f} | **{ratio:.2f}** |")
    return [f"Each producer has {_QUOTA_US / _PERIOD_US:.0%} of one core.", "", *lines]


def _rate(bootstrap: str, works: list[Work]) -> float:
    with ExitStack() as stack:
        running = [stack.enter_context(_producer(bootstrap, work)) for work in works]
        rates: list[float] = [cells.result(process)["rate"] for process in running]
    return sum(rates)


@contextlib.contextmanager
def _producer(bootstrap: str, work: Work) -> Iterator[subprocess.Popen[str]]:
    [port] = free_ports("127.0.0.1", 1)
    source = cells.start_source(port, work)
    group = _GROUPS / f"tickwire-bench-{port}"
    group.mkdir()
    try:
        (group / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
        (group / "cpu.cfs_quota_us").write_text(str(_QUOTA_US))
        process = cells.start("bench.product", work.spec(port, bootstrap), before=lambda: _join(group))
        yield process
        process.kill()
        process.wait()
    finally:
        source.kill()
        source.wait()
        group.rmdir()


def _join(group: Path) -> None:
    (group / "tasks").write_text(str(os.getpid()))
