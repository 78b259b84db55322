"""A publisher, to be killed, that starts without Kafka if it must.

Prints after every round how many there were, and of the records of books how many are on disk, acknowledged, in memory.
"""

import asyncio
import json
import sys

from kafka.publishing import publish_round, running
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.producing.flow import NullFlow


async def main(config: KafkaConfig) -> None:
    async with running(config, NullFlow(), offline_start=True) as publisher:
        for number in range(1_000_000):
            publish_round(publisher, number)
            books = publisher.accounting()[config.orderbook_topic]
            sys.stdout.write(f"{number + 1} {books.spilled} {books.acknowledged} {books.in_flight}\n")
            sys.stdout.flush()
            await asyncio.sleep(0.001)


if __name__ == "__main__":
    asyncio.run(main(KafkaConfig(**json.loads(sys.argv[1]))))
