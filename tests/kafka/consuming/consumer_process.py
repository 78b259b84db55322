"""A consumer to be killed: each record is written to a file by its handler before that returns."""

import os
import sys
import time

from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.consuming import consumer
from tickwire.kafka.received import ReceivedRecord

_PACE = 20  # records a millisecond, at most: else a topic may be done before a test can kill or freeze anything


def main() -> None:
    brokers, topic, group, path = sys.argv[1:]
    journal = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(record: ReceivedRecord) -> None:
        os.write(journal, f"{record.partition} {record.offset}\n".encode())
        if record.offset % _PACE == 0:
            time.sleep(0.001)

    config = KafkaConfig(enabled=True, brokers=brokers, group_id=group)
    consumer._SETTINGS["session.timeout.ms"] = 6_000  # how long Kafka waits for the one that was killed
    consumer.run_kafka_consumer(config, topics=[topic], handler=note)


if __name__ == "__main__":
    main()
