"""Several processes that share the symbols of a feed: starts, watches, restarts and accounts for them."""

import contextlib
import logging
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

from tickwire import metrics
from tickwire.cli.accounting import add_reports, report_of, stages
from tickwire.cli.worker import LENGTH_BYTES, REQUEST_BYTES
from tickwire.config.share import Share
from tickwire.errors import TickwireError
from tickwire.metrics_page import Family, add_up, exported, only_counts, read_page
from tickwire.signals import Hangups, Stop
from tickwire.wire.backoff import Backoff

logger = logging.getLogger(__name__)

_TICK_S = 0.1
_LOOK_S = 1.0  # between two queries of a worker's counts; counts since the last one are lost when it is killed
_ANSWER_S = 2.0
_LAST_WORDS_S = 2.0
_HEAD_BYTES = REQUEST_BYTES + LENGTH_BYTES
SAID = "error: "  # prefix of the sentence with which a worker ends, on its standard output
REFUSED = "refused: "  # the same if the exchange refused all of its symbols, which does not concern the others
_STATES = ("running", "silent", "down")


class WorkerProcess:
    """The successive processes that serve *share*; *arguments* are those of ``tickwire produce``."""

    def __init__(self, share: Share, arguments: Sequence[str], folder: Path) -> None:
        self.share = share
        self.page: dict[str, Family] = {}  # last page of the running process
        self.gone: list[dict[str, Family]] = []  # counts of ended processes
        self.reports: list[dict[str, Any]] = []  # of those
        self.state = "down"
        self._command = [sys.executable, "-m", "tickwire", "produce", *arguments, "--worker", str(share)]
        self._output, self._report = folder / f"{share}.out", folder / f"{share}.json"
        self._backoff = Backoff(random.random)
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = self._start_at = 0.0
        self.over = False  # no further process is started
        self._asking = threading.Lock()
        self._rereading = False  # a SIGHUP is due
        self._requests = 0
        self._received = bytearray()  # unread bytes: an answer may come after its request timed out

    def start_if_due(self) -> bool:
        """Start a process if none runs and one is due; return whether one was started."""
        now = time.monotonic()
        if self._process is not None or self.over or now < self._start_at:
            return False
        self._report.unlink(missing_ok=True)
        self._received.clear()
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(_ANSWER_S)
        channel = str(theirs.fileno())
        with theirs, self._output.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own command
                [*self._command, "--worker-channel", channel, "--report", str(self._report)],
                stdin=subprocess.DEVNULL,
                stdout=output,  # its final output is in its report too
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # we pass on Ctrl-C
            )
        self._started_at = now
        self.state = "running"
        return True

    def ask_to_end(self) -> None:
        """Send SIGTERM; a second one ends it at once."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def reread(self) -> None:
        """Let it read the settings again once it answers: an earlier SIGHUP would end it."""
        self._rereading = True

    def ended(self) -> int | None:
        """The exit code of a process that has ended since the last call, and account for it; None if none has."""
        if self._process is None or (code := self._process.poll()) is None:
            return None
        with self._asking:
            self._process = None
            self._socket.close()
            self.state = "down"
            self.gone.append(only_counts(self.page))
            self.reports.append(self._read_report() or report_of(self.page))
            self.page = {}
        return code

    def start_later(self) -> float:
        """Schedule the next process, later if processes are short-lived; return the seconds."""
        now = time.monotonic()
        wait = self._backoff.delay_s(now - self._started_at)
        self._start_at = now + wait
        return wait

    def look(self) -> dict[str, Family]:
        """Ask the process for its metrics; return the last ones if it does not answer."""
        with self._asking:
            if self._process is not None:
                try:
                    self.page = read_page(self._ask())
                    self.state = "running"
                    if self._rereading:
                        self._rereading = False
                        self._process.send_signal(signal.SIGHUP)
                except TimeoutError:
                    self.state = "silent"
                except OSError:
                    pass  # it is ending
            return self.page

    def last_words(self, seconds: float) -> str:
        """Wait for its end, and return the last line that it printed."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        lines = self._output.read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line), "it said nothing.")

    def _ask(self) -> str:
        self._requests += 1
        request = self._requests.to_bytes(REQUEST_BYTES, "little")
        self._socket.sendall(request)
        while True:  # late answers to earlier requests come first
            self._fill(_HEAD_BYTES)
            size = _HEAD_BYTES + int.from_bytes(self._received[REQUEST_BYTES:_HEAD_BYTES], "little")
            self._fill(size)
            answer = bytes(self._received[:size])
            del self._received[:size]
            if answer.startswith(request):
                return answer[_HEAD_BYTES:].decode()

    def _fill(self, size: int) -> None:
        while len(self._received) < size:
            more = self._socket.recv(65536)
            if not more:
                raise ConnectionResetError
            self._received += more

    def _read_report(self) -> dict[str, Any] | None:
        try:
            report: dict[str, Any] = msgspec.json.decode(self._report.read_bytes())
        except (OSError, msgspec.DecodeError):
            return None  # it was killed
        return report


class WorkerFailed(TickwireError):
    """A worker ended with an error, described by *sentence*."""

    def __init__(self, sentence: str, exit_code: int) -> None:
        self.sentence, self.exit_code = sentence, exit_code

    def __str__(self) -> str:
        return self.sentence


class WorkerProcesses(Collector):
    """All workers; as a collector, the sum of their metrics and ours."""

    def __init__(self, count: int, arguments: Sequence[str], folder: Path) -> None:
        self._workers = [WorkerProcess(Share(index, count), arguments, folder) for index in range(count)]
        for worker in self._workers:
            metrics.WORKER_RESTARTS.labels(str(worker.share))
        self.registry = CollectorRegistry(auto_describe=True)
        self.registry.register(self)
        self._asked = False
        self._code = 0
        self._error: WorkerFailed | None = None

    def run(self, stop: Stop, hangups: Hangups, tick: Callable[[], None]) -> int:
        """Run until *stop* is requested or a worker ends with an error, which ends all; return the exit code.

        A worker whose symbols are all refused ends alone. A killed worker is started again. *tick* is called regularly,
        to show the progress. SIGHUPs that *hangups* notes are passed on.

        Raises :exc:`WorkerFailed` with the first such error.
        """
        look_at = 0.0
        while not self._all_ended(stop):
            now = time.monotonic()
            if hangups.take():
                for worker in self._workers:
                    worker.reread()
            if now >= look_at:
                look_at = now + _LOOK_S
                for worker in self._workers:
                    worker.look()
            self._show_states()
            tick()
            if stop.wait(_TICK_S) and not self._asked:
                self._ask_all_to_end()
            elif self._asked:
                time.sleep(_TICK_S)
        if self._error is not None:
            raise self._error
        return self._code

    def accounting(self) -> dict[str, Any]:
        """The accounting of all processes together."""
        return add_reports([report for worker in self._workers for report in worker.reports])

    def describe(self) -> Iterable[Metric]:
        """Describe no metrics at registration."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics; called by the thread that serves them."""
        own = read_page(generate_latest(metrics.consistent_registry()).decode())
        # For a silent worker the last page is used: waiting would delay the page of all.
        now = [worker.page if worker.state == "silent" else worker.look() for worker in self._workers]
        return exported(add_up(own, [*now, *(page for worker in self._workers for page in worker.gone)]))

    def last_words(self) -> str:
        """End all at once, and return the last line of each."""
        for worker in self._workers:
            worker.ask_to_end()
        return "\n".join(f"worker {worker.share}: {worker.last_words(_LAST_WORDS_S)}" for worker in self._workers)

    def _all_ended(self, stop: Stop) -> bool:
        running = False
        for worker in self._workers:
            code = worker.ended()
            if code is not None:
                self._ended(worker, code, unasked=not self._asked and not stop.requested)
            if not self._asked and not stop.requested and worker.start_if_due() and worker.gone:
                logger.info("workers.started worker=%s (again)", worker.share)
            running |= worker.state != "down"
        return not running and (self._asked or stop.requested or all(worker.over for worker in self._workers))

    def _ended(self, worker: WorkerProcess, code: int, *, unasked: bool) -> None:
        if code > 0:  # the error would come again
            self._code = self._code or code
            said = worker.last_words(0)
            worker.over = said.startswith(REFUSED)
            if self._error is None and said.startswith((SAID, REFUSED)):
                self._error = WorkerFailed(said.removeprefix(SAID).removeprefix(REFUSED), code)
        if not unasked:
            return
        if worker.over:
            logger.error(
                "workers.refused worker=%s error=%r (it ends, and the others go on)",
                worker.share, said.removeprefix(REFUSED),
            )  # fmt: skip
            return
        if code > 0:
            if self._error is None or any(stages(self.accounting(), {}).values()):  # else the error says everything
                logger.error("workers.failed worker=%s code=%d (all end)", worker.share, code)
            self._ask_all_to_end()
            return
        metrics.WORKER_RESTARTS.labels(str(worker.share)).inc()
        wait = worker.start_later()
        how = signal.Signals(-code).name if code else "exit code 0"
        logger.error("workers.died worker=%s how=%s wait_s=%.1f (it starts again)", worker.share, how, wait)

    def _ask_all_to_end(self) -> None:
        self._asked = True
        for worker in self._workers:
            worker.ask_to_end()

    def _show_states(self) -> None:
        for state in _STATES:
            metrics.WORKERS.labels(state).set(sum(worker.state == state for worker in self._workers))
