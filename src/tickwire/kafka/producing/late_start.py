"""Reaches Kafka after a start without it."""

import logging
from collections.abc import Awaitable, Callable

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed, LoginRefused
from tickwire.kafka.credentials import Credentials

logger = logging.getLogger(__name__)

ANSWER_S = 2.0  # for Kafka to answer, and between two attempts
_LONGEST_WAIT_S = 60.0  # after refused log-ins, which may lock an account


async def until_reached(attempt: Callable[[], Awaitable[None]], config: KafkaConfig) -> None:
    """Make the *attempt* again and again until it raises no :exc:`~tickwire.errors.KafkaFailed`; log each new cause.

    Raises whatever else it raises.
    """
    said, wait = "", ANSWER_S
    while True:
        try:
            await attempt()
        except KafkaFailed as e:
            words, refused = str(e), isinstance(e, LoginRefused)
        else:
            return
        if words != said:
            logger.warning("publisher.still_offline error=%r", words)
        said, wait = words, min(2 * wait, _LONGEST_WAIT_S) if refused else ANSWER_S
        # Outside of except: the error references the refused client, which would go on logging in.
        await Credentials(config).change(wait)
