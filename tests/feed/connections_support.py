"""Counts of connections that were replaced, and waiting for a number of events."""

from collections.abc import Sized

from support import aeventually
from tickwire import metrics


def reconnects(reason: str) -> float:
    value: float = metrics.RECONNECTS.labels("toy", reason)._value.get()
    return value


async def length(items: Sized, count: int) -> None:
    await aeventually(lambda: len(items) == count, f"{count} of {items!r}")
