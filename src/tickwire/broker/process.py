"""A broker's process, which ends with the process that started it."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import BinaryIO, TypeAlias

from tickwire.errors import KafkaFailed, KafkaMissing

logger = logging.getLogger(__name__)

Popen: TypeAlias = "subprocess.Popen[bytes]"


class _Starter:
    """Starts all child processes in one thread.

    Linux kills the child when the *thread* that started it ends (prctl(2), PR_SET_PDEATHSIG), so this thread must live
    as long as the process. It is a daemon thread and not an executor's: if a signal interrupts an executor while it
    makes a thread, it waits at exit for a thread that it does not know.
    """

    def __init__(self) -> None:
        self._work: SimpleQueue[tuple[Future[Popen], Callable[[], Popen]]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, start: Callable[[], Popen]) -> Future[Popen]:
        """Call *start* in that thread."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="tickwire-broker", daemon=True)
            self._thread.start()
        started: Future[Popen] = Future()
        self._work.put((started, start))
        return started

    def _run(self) -> None:
        while True:
            started, start = self._work.get()
            try:
                started.set_result(start())
            except Exception as e:  # noqa: BLE001 - whoever waits for it raises it
                started.set_exception(e)


_starter = _Starter()

# Runs in the child before the broker replaces it; a preexec_fn would not be safe with other threads. PR_SET_PDEATHSIG
# is 1. The parent may have ended before prctl: then its id has changed, and the child ends.
_DIE_WITH_PARENT = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() == int(sys.argv[1]):
    os.execvp(sys.argv[2], sys.argv[2:])
"""


class BrokerProcess:
    """One running broker. *name* is used in errors; *log* takes all its output and is closed at the end."""

    def __init__(self, name: str, command: Sequence[str], log: BinaryIO, env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._log = log
        if sys.platform == "linux":
            command = [sys.executable, "-IS", "-c", _DIE_WITH_PARENT, str(os.getpid()), *command]
        starting = _starter.submit(
            lambda: subprocess.Popen(  # noqa: S603 - no shell; the command is ours
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=env,
                start_new_session=True,  # Ctrl-C reaches only us; we then stop the broker in order
            )
        )
        try:
            self._process = starting.result()
        except BaseException:
            if starting.exception() is None:  # a signal interrupted the start
                starting.result().kill()
                starting.result().wait()
            raise

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def ensure_running(self) -> None:
        """Raise :exc:`KafkaFailed` with the last line of its log if the broker has ended."""
        code = self._process.poll()
        if code is not None:
            raise KafkaFailed(f"{self.name} ended by itself (exit code {code}): {last_words(self._log)}.")

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Poll *ready* until it is true; raise :exc:`KafkaFailed` if the broker ends or after *seconds*."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.ensure_running()
            if time.monotonic() > deadline:
                raise KafkaFailed(f"{self.name} did not answer within {seconds:g} s: {last_words(self._log)}.")
        # Another broker may have answered on our port.
        self.ensure_running()

    def send(self, signum: signal.Signals) -> None:
        """Send a signal; does nothing if the process has ended."""
        self._process.send_signal(signum)

    def terminate(self, seconds: float) -> None:
        """End the broker in order, and kill it if that takes longer than *seconds*."""
        self.send(signal.SIGCONT)  # a frozen process would not react to the next one
        self.send(signal.SIGTERM)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            logger.warning("broker.killed name=%s pid=%d after_seconds=%g", self.name, self.pid, seconds)
        self.kill()

    def kill(self) -> None:
        """End the process at once, as a power cut would."""
        self.send(signal.SIGKILL)
        self._process.wait()
        self._log.close()


def last_words(log: BinaryIO) -> str:
    """The last line in *log* that reports an error, or else the last line, safe to print."""
    size = os.fstat(log.fileno()).st_size
    # pread does not move the offset, which the child shares
    tail = os.pread(log.fileno(), 65_536, max(0, size - 65_536)).decode(errors="replace")
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower() or "exception" in line.lower()]
    return f"its log says {(telling or lines)[-1][:300]!r}" if lines else "its log is empty"


def visible_nodes(bootstrap: str, timeout_s: float) -> frozenset[int]:
    """Ask the brokers at *bootstrap* which nodes the cluster has now; empty when none answers within *timeout_s*.

    An answer means that a broker handles requests, which an open port does not.
    Raises :exc:`KafkaMissing` without the library.
    """
    try:
        from confluent_kafka import KafkaException  # noqa: PLC0415 - the package imports without the library
        from confluent_kafka.admin import AdminClient  # noqa: PLC0415
    except ImportError as error:
        raise KafkaMissing from error

    # log_level 0: refused connections are expected while a broker starts, and the caller has the deadline.
    client = AdminClient({"bootstrap.servers": bootstrap, "client.id": "tickwire-probe", "log_level": 0})
    try:
        return frozenset(client.list_topics(timeout=timeout_s).brokers)
    except KafkaException:
        return frozenset()
