"""Handlers of records: a function, an object with ``batch``, or :class:`MarketState`.

``docs/handlers.md`` says what a handler may do, raise and expect.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, cast

from tickwire.errors import UsageError
from tickwire.kafka.received import ReceivedRecord
from tickwire.named import named

BATCH_RECORDS = 500
BATCH_SECONDS = 1.0

# Plain or ``async def``: an awaitable result is awaited, any other ignored.
RecordHandler: TypeAlias = Callable[[ReceivedRecord], Any]


class BatchHandler(Protocol):
    """Takes several records of one partition at once, in order; all of them are done when it returns.

    Optional attributes: ``batch_records``, how many at most (500), and ``batch_seconds``, how long the first one waits
    for others (1.0).
    """

    def batch(self, records: Sequence[ReceivedRecord], /) -> Any:
        """Process them all, or raise; plain or ``async def``."""


Handler: TypeAlias = RecordHandler | BatchHandler


class Batching(NamedTuple):
    """The size and waiting time of a handler's batches."""

    call: Callable[[Sequence[ReceivedRecord]], Any]
    records: int
    seconds: float


def batching(handler: Handler) -> Batching | None:
    """The batching of *handler*; None: it is called with single records.

    Raises :exc:`~tickwire.errors.UsageError`.
    """
    if callable(handler):
        return None
    call = getattr(handler, "batch", None)
    if not callable(call):
        raise UsageError(
            f"The handler {handler!r} can be neither called with a record nor has it a method batch(records): "
            "expected one of the two."
        )
    records = getattr(handler, "batch_records", BATCH_RECORDS)
    seconds = getattr(handler, "batch_seconds", BATCH_SECONDS)
    if not isinstance(records, int) or records < 1:
        raise UsageError(f"batch_records of the handler should be a whole number of at least 1, but is {records!r}.")
    if not isinstance(seconds, int | float) or not 0 <= seconds <= 3600:
        raise UsageError(f"batch_seconds of the handler should be a number from 0 to 3600, but is {seconds!r}.")
    return Batching(call, records, seconds)


class _InBatches:
    """Makes a handler take at most *records* at once."""

    def __init__(self, handler: Any, records: int) -> None:
        self._handler = handler
        self.batch = handler if callable(handler) else handler.batch
        self.batch_records = records

    def __getattr__(self, name: str) -> Any:
        """The handler's other attributes: ``batch_seconds``, ``close``, ``revoked``, its name."""
        return getattr(self._handler, name)


def load_handler(name: str, batch: int | None = None) -> Handler:
    """Import the handler ``module:function``, from the current folder too.

    With *batch* it takes batches: a function gets a list of at most so many records.

    Raises :exc:`~tickwire.errors.UsageError`.
    """
    handler = named("--handler", name)
    if isinstance(handler, type) or not (callable(handler) or callable(getattr(handler, "batch", None))):
        raise UsageError(
            f"--handler {name} is a {'class' if isinstance(handler, type) else type(handler).__name__}: "
            "expected a function, or an object that can be called with one record or has a method batch(records)."
        )
    return cast("Handler", handler if batch is None else _InBatches(handler, batch))
