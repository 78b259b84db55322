"""A publisher that starts without Kafka, to be killed: prints how many records it has accepted on disk."""

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
            sys.stdout.write(f"{publisher.accounting()[config.orderbook_topic].spilled}\n")
            sys.stdout.flush()
            await asyncio.sleep(0.001)


if __name__ == "__main__":
    asyncio.run(main(KafkaConfig(**json.loads(sys.argv[1]))))
