"""Ending a program: the first signal ends it in order, a second one at once.

One key press may arrive as several signals: from the terminal to the whole process group, and passed on by a parent
(GNU ``timeout`` sends its signal to the command and then to the group:
https://www.gnu.org/software/coreutils/manual/html_node/timeout-invocation.html). Signals within :data:`TOGETHER_S` of
the first one therefore count as the same.
"""

import asyncio
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self, TypeVar

import uvloop

from tickwire.daemon_pool import DaemonPool

SIGNALS = (signal.SIGINT, signal.SIGTERM)
TOGETHER_S = 0.5  # long enough for the signals of one press, too short for two presses
_LEFT_S = 1.0  # for cancelled tasks to end

T = TypeVar("T")


class Stop:
    """Inside ``with`` (main thread only), the first SIGINT or SIGTERM sets :attr:`requested` and wakes the waiters.

    A second one, later than :data:`TOGETHER_S`, ends the process at once with 130 or 143, after writing *last_line*. If
    the process still runs *limit_s* after the first one, it ends in the same way and says what the main thread was
    doing. Several objects may be active at once; all hear the signals, in whatever order they are entered and left.
    """

    def __init__(self, last_line: Callable[[], str] | None = None, limit_s: float | None = None) -> None:
        self.requested = False
        self.heard_at = 0.0  # monotonic time of the first signal
        self._last_line, self._limit_s = last_line, limit_s
        self._signum = 0
        self._watch: threading.Thread | None = None
        self._left = threading.Event()
        self._interrupting = False

    def __enter__(self) -> Self:
        # A pipe, not a threading.Event: set() in a signal handler deadlocks if the interrupted code holds the event's
        # lock.
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        if not _listening:
            _before.update({signum: signal.signal(signum, _handle) for signum in SIGNALS})
        _listening.append(self)
        if self._limit_s is not None:
            self._watch = threading.Thread(target=self._end_in_time, args=(self._limit_s,), daemon=True)
            self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        _listening.remove(self)
        if not _listening:
            for signum, handler in _before.items():
                signal.signal(signum, handler)
        if self._watch is not None:
            self._left.set()
            os.write(self._write, b"\0")
            self._watch.join()
        os.close(self._read)
        os.close(self._write)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait at most *seconds* for a signal; return whether one came."""
        until = None if seconds is None else time.monotonic() + seconds
        # Without this, select() sleeps on if another thread took the signal, or if it came just before the call.
        before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        try:
            while not self.requested:
                left = None if until is None else max(0.0, until - time.monotonic())
                if not select.select([self._read], [], [], left)[0]:
                    break
                if not self.requested:
                    os.read(self._read, 1)  # another signal's
        finally:
            signal.set_wakeup_fd(before)
        return self.requested

    async def arrives(self) -> None:
        """Wait for the signal without blocking the event loop; one task at a time may wait here."""
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        loop.add_reader(self._read, arrived.set)
        try:
            await arrived.wait()
        finally:
            loop.remove_reader(self._read)

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Let the first signal raise KeyboardInterrupt inside ``with``, for blocking steps that cannot check a flag."""
        self._interrupting = True
        try:
            yield
        finally:
            self._interrupting = False

    # Called by the signal handler

    def hear(self, signum: int) -> bool:
        """Note a signal; return whether it shall raise KeyboardInterrupt."""
        self.requested, self.heard_at, self._signum = True, time.monotonic(), signum
        os.write(self._write, b"\0")
        return self._interrupting

    def say_last_line(self) -> None:
        """Write the last line before the process ends."""
        if self._last_line is not None:  # not print(), which the signal may have interrupted
            os.write(sys.stdout.fileno(), f"{self._last_line()}\n".encode())

    def _end_in_time(self, seconds: float) -> None:
        """Wait for the first signal, then for the end, in a thread of its own."""
        select.select([self._read], [], [])
        if self._left.wait(seconds):
            return
        frame = sys._current_frames().get(threading.main_thread().ident or 0)  # noqa: SLF001 - the documented way
        doing = "".join(traceback.format_stack(frame)) if frame is not None else ""
        os.write(
            sys.stderr.fileno(), f"{doing}Not ended {seconds:g} s after a signal, as above: ends at once.\n".encode()
        )
        os._exit(128 + self._signum)


class Hangups:
    """Inside ``with`` (main thread only) SIGHUP does not end the process: it asks to read the settings again.

    At a terminal SIGHUP keeps its meaning, because a terminal that closes sends it.
    """

    def __init__(self) -> None:
        self._came = False

    def __enter__(self) -> Self:
        self._at_terminal = any(os.isatty(fd) for fd in (0, 1))
        if not self._at_terminal:
            self._before = signal.signal(signal.SIGHUP, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        if not self._at_terminal:
            signal.signal(signal.SIGHUP, self._before)

    def take(self) -> bool:
        """Return whether SIGHUP came since the last call."""
        came, self._came = self._came, False
        return came

    def _hear(self, _signum: int, _frame: FrameType | None) -> None:
        self._came = True


_listening: list[Stop] = []
_before: dict[signal.Signals, Any] = {}  # the handlers before ours


def _forget() -> None:
    """Restore the previous handlers in a forked child."""
    for signum, handler in _before.items():
        signal.signal(signum, handler)
    _before.clear()
    _listening.clear()


os.register_at_fork(after_in_child=_forget)


def _handle(signum: int, _frame: FrameType | None) -> None:
    if asked := [stop for stop in _listening if stop.requested]:
        if time.monotonic() - min(stop.heard_at for stop in asked) < TOGETHER_S:
            return
        for stop in _listening:
            stop.say_last_line()
        os._exit(128 + signum)
    interrupts = [stop.hear(signum) for stop in _listening]
    if any(interrupts):
        raise KeyboardInterrupt


def run_alone(work: Coroutine[Any, Any, T]) -> T:
    """Do *work* in an event loop of its own, and close that within a second whatever is left in it.

    :func:`asyncio.run` waits for ever for a task that ignores its cancellation, and for a thread that does not return.
    """
    loop = uvloop.new_event_loop()
    try:
        asyncio.set_event_loop(loop)
        loop.set_default_executor(DaemonPool())
        return loop.run_until_complete(work)
    finally:
        if left := asyncio.all_tasks(loop):
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.wait(left, timeout=_LEFT_S))
        loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()
