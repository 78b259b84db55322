"""What is done with each record: a function of yours, or :class:`MarketState`.

A handler is any callable, plain or ``async def``, that takes one :class:`~tickwire.kafka.received.ReceivedRecord`.
Returning means that the record is processed and its offset may be committed. Raising means that it is not:
:exc:`~tickwire.errors.Reject` says that the record is wrong and never will be processed; after errors that may pass
(time-outs, connection errors, :exc:`~tickwire.errors.TryAgain`) it is tried again, up to KAFKA_MAX_ATTEMPTS times
with a growing wait in which only its partition stands still; anything else counts as wrong at once.
Records may come twice, after a crash or when another consumer takes a partition over.

A handler runs in a thread of its own, ``async def`` on one event loop. With KAFKA_CONSUMER_CONCURRENCY above 1, records
of different partitions come at the same time, from several threads; those of one partition stay in their order.

A handler with a method ``revoked(topic, partition)`` is told when a partition goes to another consumer.
"""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from tickwire.errors import UsageError
from tickwire.kafka.received import ReceivedRecord

Handler: TypeAlias = Callable[[ReceivedRecord], Any]  # what it returns is awaited if it can be, else ignored


def load_handler(name: str) -> Handler:
    """Import the handler ``module:function``, from the current folder too.

    Raises :exc:`~tickwire.errors.UsageError`.
    """
    module_name, colon, attribute = name.partition(":")
    if not colon or not attribute or not all(part.isidentifier() for part in module_name.split(".")):
        raise UsageError(f"--handler {name!r} is no handler: expected module:function, e.g. my_handlers:store.")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        handler = importlib.import_module(module_name)
    except Exception as error:  # a module of the user's may raise anything while it is imported
        raise UsageError(
            f"The handler module {module_name!r} cannot be imported ({type(error).__name__}: {error}): "
            f"expected a module in {folder!r} or an installed one."
        ) from error
    for part in attribute.split("."):
        try:
            handler = getattr(handler, part)
        except AttributeError:
            raise UsageError(f"The module {module_name!r} has no {attribute!r}: correct --handler {name}.") from None
    if not callable(handler) or isinstance(handler, type):
        raise UsageError(
            f"--handler {name} is a {'class' if isinstance(handler, type) else type(handler).__name__}: "
            "expected a function, or an object that can be called with one record."
        )
    return handler
