"""Waiting for something to become true, with a deadline instead of a sleep."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from tickwire.broker.ports import free_ports

T = TypeVar("T")


def eventually(condition: Callable[[], T], what: str, seconds: float = 20.0) -> T:
    """Poll *condition* until it is truthy and return its value; fail with *what* when the deadline passes."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {seconds} s: {what} (last value: {value!r})")
        time.sleep(0.02)


async def aeventually(condition: Callable[[], T], what: str, seconds: float = 20.0) -> T:
    """The same without blocking the event loop."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {seconds} s: {what} (last value: {value!r})")
        await asyncio.sleep(0.02)


def free_port() -> int:
    """A free loopback TCP port, which no outgoing connection can get as its source port meanwhile."""
    return free_ports("127.0.0.1", 1)[0]
