"""One round through Kafka: marked records through the real producer and consumer, a poison one to the dead letters.

It uses topics of its own and deletes them afterwards, so that it can run beside real data.
"""

import asyncio
import time
import uuid
from collections.abc import Iterator

from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import TickwireError
from tickwire.events.types import Ticker
