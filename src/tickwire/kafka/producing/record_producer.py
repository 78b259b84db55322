"""The client library's producer, as far as the link uses it; ``native/record_producer.c`` is the compiled form.

That has a client of librdkafka of its own, made of the same settings, in the library that confluent-kafka has loaded.
So neither a record nor its report costs an object or a call of the interpreter.
"""

import ctypes
import functools
import logging
import os
from collections.abc import Callable
from typing import Any, cast

from confluent_kafka import Producer, cimpl

from tickwire.compiled import compiled, python_forms
from tickwire.kafka.clients import make

logger = logging.getLogger(__name__)


@compiled
class RecordProducer:
    """A producer, which connects by itself; ``produce`` takes what ``Producer.produce`` takes.

    Raises ``KafkaException`` for settings that cannot be used.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self._producer = Producer(settings)
        self.produce = self._producer.produce

    @staticmethod
    def connect(find: Callable[[str], int]) -> None:
        """Let the compiled form have the functions of the library that *find* gives the address of.

        Raises what that raises, and :exc:`ValueError` for a version that is not known to do.
        """

    def __len__(self) -> int:
        return len(self._producer)

    def poll(self, seconds: float) -> None:
        """Take reports and errors, for which *seconds* are waited; raises ``KafkaException`` for a fatal one."""
        self._producer.poll(seconds)

    def flush(self, seconds: float) -> int:
        """Do the same, linger over nothing, and return at once when nothing is left; returns how much is."""
        return self._producer.flush(seconds)

    def purge(self, *, in_flight: bool = True) -> None:
        """Give up what is queued, and what is on its way; waits until nothing of it can be sent. The reports say so."""
        self._producer.purge(in_flight=in_flight, blocking=False)  # which waits, and True would not (2.16.1)

    def partitions(self, topic: str, seconds: float) -> int:
        """Ask how many partitions a topic has, 0 if there is none; any thread may. Raises ``KafkaException``."""
        found = self._producer.list_topics(topic, timeout=seconds).topics.get(topic)
        return 0 if found is None else len(found.partitions)


class NoProducer:
    """Stands where a producer was, until the next one is made: it has nothing and takes nothing."""

    def __len__(self) -> int:
        return 0

    def produce(self, *_: object, **__: object) -> None:
        """Take no record."""
        raise BufferError

    def poll(self, seconds: float) -> None:
        """Have no report."""

    def flush(self, seconds: float) -> int:  # noqa: ARG002 - as above
        """Have nothing left."""
        return 0

    def purge(self, *, in_flight: bool = True) -> None:
        """Have nothing to give up."""

    def partitions(self, topic: str, seconds: float) -> int:  # noqa: ARG002 - as above
        """Know of no topic."""
        return 0


def make_producer(settings: dict[str, Any]) -> RecordProducer:
    """Make a producer. Raises :exc:`~tickwire.errors.KafkaFailed` for settings that cannot be used."""
    form = RecordProducer
    if "oauth_cb" in settings or not _connected(form):  # such tokens are confluent-kafka's own part
        form = cast("type[RecordProducer]", python_forms["RecordProducer"])
    return make(form, settings)


@functools.cache
def _connected(form: type[RecordProducer]) -> bool:
    try:
        form.connect(_address)
    except (OSError, AttributeError, ValueError) as e:
        logger.warning("producer.slow cause=%r (every record goes through the client's Python interface)", str(e))
        return False
    return True


def _address(name: str) -> int:
    """Where a function of the library is that confluent-kafka has loaded: its module's, or one that this depends on."""
    loaded = ctypes.CDLL(cimpl.__file__, mode=os.RTLD_LAZY | os.RTLD_NOLOAD)  # never a second one
    return cast("int", ctypes.cast(getattr(loaded, name), ctypes.c_void_p).value)
