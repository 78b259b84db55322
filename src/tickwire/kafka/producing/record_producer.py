"""The parts of the client library's producer that we use; ``native/record_producer.c`` is the compiled form.

That form makes a librdkafka client of its own, with the same settings, in the library that confluent-kafka has loaded.
So records and delivery reports cost no Python object or call.
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
    """A producer, which connects in the background; ``produce`` takes the arguments of ``Producer.produce``.

    Raises ``KafkaException`` for unusable settings.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self._producer = Producer(settings)
        self.produce = self._producer.produce

    @staticmethod
    def connect(find: Callable[[str], int]) -> None:
        """Give the compiled form the library's functions; *find* returns the address of one by name.

        Raises what *find* raises, and :exc:`ValueError` for an unsupported version of librdkafka.
        """

    def __len__(self) -> int:
        return len(self._producer)

    def poll(self, seconds: float) -> None:
        """Serve delivery reports and errors, waiting at most *seconds*; raises ``KafkaException`` for a fatal error."""
        self._producer.poll(seconds)

    def flush(self, seconds: float) -> int:
        """Do the same without lingering, until nothing is left; return how many records are left."""
        return self._producer.flush(seconds)

    def purge(self, *, in_flight: bool = True) -> None:
        """Give up queued records, and those *in_flight*; waits until none can be sent. Their reports say so."""
        self._producer.purge(in_flight=in_flight, blocking=False)  # False waits, True does not (in 2.16.1)

    def partitions(self, topic: str, seconds: float) -> int:
        """Ask how many partitions a topic has, 0 if it is missing; in any thread. Raises ``KafkaException``."""
        found = self._producer.list_topics(topic, timeout=seconds).topics.get(topic)
        return 0 if found is None else len(found.partitions)


class NoProducer:
    """In place of a producer while there is none: it has no records and takes none."""

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
    """Make a producer. Raises :exc:`~tickwire.errors.KafkaFailed` for unusable settings."""
    form = RecordProducer
    if "oauth_cb" in settings or not _connected(form):  # only confluent-kafka's Producer supports oauth_cb
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
    """The address of a function of librdkafka as confluent-kafka has loaded it, in its module or a dependency of it."""
    loaded = ctypes.CDLL(cimpl.__file__, mode=os.RTLD_LAZY | os.RTLD_NOLOAD)  # NOLOAD: never a second copy
    return cast("int", ctypes.cast(getattr(loaded, name), ctypes.c_void_p).value)
