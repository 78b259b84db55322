"""Finds out which dead letters were already replayed, from the replayed records.

For the embedded broker, which does not keep the metadata of commits. It holds everything in memory, so all of it can be
read.
"""

from collections.abc import Collection

from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.dead_letters.headers import split_replay
from tickwire.kafka.dead_letters.reader import DeadLetterReader
from tickwire.kafka.dead_letters.replay.routes import quarantine_topic
from tickwire.kafka.dead_letters.selection import DeadLetter


def sent_before(config: KafkaConfig, there: Collection[str]) -> set[str]:
    """The ids of the dead letters that were replayed; *there* are the existing topics.

    Raises :exc:`~tickwire.errors.KafkaFailed`.
    """
    quarantine = quarantine_topic(config)
    found = set()
    for topic in {*config.topics, quarantine}.intersection(there):
        with DeadLetterReader(config, topic) as reader:
            for part in reader.ranges.values():
                for record in reader.read(part):
                    if topic == quarantine:
                        found.add(DeadLetter.of(record).id)
                    elif replayed := split_replay(record.headers)[1]:
                        found.add(replayed["replay_of"])
    return found
