"""Ending a command in order: the first signal asks, the second one ends at once."""

import asyncio
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Inside ``with`` (main thread only), the first SIGINT or SIGTERM sets :attr:`requested` and wakes the waiters.

    A second one ends the process at once with 130 or 143, whatever it does then; *last_line* gives what is to be said
    before.
    """

    def __init__(self, last_line: Callable[[], str] | None = None) -> None:
        self.requested = False
        self._last_line = last_line
        self._interrupting = False

    def __enter__(self) -> Self:
        # A pipe, not a threading.Event: set() in a handler can meet its own lock, held by the code it interrupted.
        self._read, self._write = os.pipe()
        self._before = {signum: signal.signal(signum, self._handle) for signum in SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        os.close(self._read)
        os.close(self._write)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until a signal came, at most *seconds*; say whether it did."""
        select.select([self._read], [], [], seconds)
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
        """Let the first signal also raise KeyboardInterrupt here, for steps that block and cannot look at a flag."""
        self._interrupting = True
        try:
            yield
        finally:
            self._interrupting = False

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        if self.requested:
            if self._last_line is not None:  # not print(), which may be what is interrupted
                os.write(sys.stdout.fileno(), f"{self._last_line()}\n".encode())
            os._exit(128 + signum)
        self.requested = True
        os.write(self._write, b"\0")
        if self._interrupting:
            raise KeyboardInterrupt
