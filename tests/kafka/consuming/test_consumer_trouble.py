"""The consumer when Kafka hands over what cannot be read, does not know a topic for a moment, or never answers."""

import time
from collections.abc import Sequence
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError

from consumer_support import Collector, committed, config_for, create, read_all, send
from kafka.raw_producer import produce
from tickwire.broker import EmbeddedBroker
from tickwire.errors import KafkaFailed, ProcessingFailed
from tickwire.kafka.codes import final_error
from tickwire.kafka.consuming import commits as commits_module
from tickwire.kafka.consuming import consumer as consumer_module
from tickwire.kafka.consuming.commits import Commits
from tickwire.kafka.consuming.consumer import run_kafka_consumer
from tickwire.kafka.consuming.progress import CommitTracker
from tickwire.kafka.consuming.report import ConsumerReport
from tickwire.kafka.received import ReceivedRecord

UNREADABLE = b"\xff\xfename"
MANY = [str(i).encode() for i in range(200)]


def test_a_header_name_that_is_no_text_makes_one_dead_letter_and_the_partition_moves_on(
    embedded: EmbeddedBroker, unique: str
) -> None:
    config = config_for(embedded.bootstrap, unique, dlq_enabled=True)
    topic = config.ticker_topic
    create(config, topic)
    produce(config.brokers, topic, b"bad", UNREADABLE)
    send(config, topic, MANY)  # so many that the interpreter has specialized the calls: then it goes wrong elsewhere
    produce(config.brokers, topic, b"bad", UNREADABLE)
    send(config, topic, MANY[:1])
    seen = Collector()
    run_kafka_consumer(config, topics=[topic], handler=seen, max_records=len(MANY) + 3)
    assert seen.values == MANY + MANY[:1]
    assert committed(config, topic) == [len(MANY) + 3]
    letters = read_all(config, config.dlq_topic)
    assert [letter.value for letter in letters] == [b"bad", b"bad"]
    told = [dict(letter.headers) for letter in letters]
    assert [(each["left_out"], each["error_type"]) for each in told] == [(b"headers", b"deserialize")] * 2
    assert [each["source_offset"] for each in told] == [b"0", str(len(MANY) + 1).encode()]


class Batches:
    """A handler that takes records in batches."""

    def __init__(self) -> None:
        self.values: list[bytes | None] = []

    def batch(self, records: Sequence[ReceivedRecord]) -> None:
        self.values += [record.value for record in records]


def test_a_header_name_that_is_no_text_is_handed_to_no_batch_either(embedded: EmbeddedBroker, unique: str) -> None:
    config = config_for(embedded.bootstrap, unique, dlq_enabled=True)
    create(config, config.ticker_topic)
    send(config, config.ticker_topic, MANY[:3])
    produce(config.brokers, config.ticker_topic, b"bad", UNREADABLE)
    seen = Batches()
    run_kafka_consumer(config, topics=[config.ticker_topic], handler=seen, max_records=4)
    assert seen.values == MANY[:3]
    assert [letter.value for letter in read_all(config, config.dlq_topic)] == [b"bad"]


def test_a_group_protocol_that_the_broker_lacks_is_named_instead_of_silence(
    embedded: EmbeddedBroker, unique: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(consumer_module, "_JOINING_S", 0.0)
    config = config_for(embedded.bootstrap, unique, group_protocol="consumer")
    create(config, config.ticker_topic)

    def told() -> bool:
        return any(r.name == consumer_module.__name__ and r.levelname == "WARNING" for r in caplog.records)

    until = time.monotonic() + 20
    run_kafka_consumer(
        config,
        topics=[config.ticker_topic],
        handler=Collector(),
        stopping=lambda: told() or time.monotonic() > until,
    )
    assert told()


def test_without_dead_letters_a_header_name_that_is_no_text_ends_it_with_a_sentence(
    embedded: EmbeddedBroker, unique: str
) -> None:
    config = config_for(embedded.bootstrap, unique)
    create(config, config.ticker_topic)
    produce(config.brokers, config.ticker_topic, b"0", UNREADABLE)
    with pytest.raises(ProcessingFailed, match="headers cannot be read"):
        run_kafka_consumer(config, topics=[config.ticker_topic], handler=Collector())


@pytest.mark.parametrize("code", [KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC])
def test_a_topic_that_a_broker_does_not_know_for_a_moment_is_no_reason_to_end(code: int) -> None:
    assert final_error(KafkaError(code), "t", 0, None) is None


class Broker:
    """A consumer as far as commits need one: it answers nothing, and knows these topics."""

    def __init__(self, *topics: str) -> None:
        self.commits = 0
        self.topics = dict.fromkeys(topics, self)
        self.error = None

    def commit(self, **_: Any) -> None:
        self.commits += 1

    def list_topics(self, _topic: str, timeout: float) -> "Broker":
        assert timeout > 0
        return self


def one_done() -> CommitTracker:
    tracker = CommitTracker()
    progress = tracker.assign(("t", 0), 0, None)
    progress.finish(0)
    return tracker


def test_a_commit_that_is_never_answered_is_sent_again_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker("t")
    commits = Commits(one_done(), ConsumerReport(["t"]), lambda _partition: None)
    assert commits.send(cast("Consumer", broker))
    assert not commits.send(cast("Consumer", broker))
    monkeypatch.setattr(commits_module, "_ANSWER_S", 0.0)
    assert commits.send(cast("Consumer", broker))
    assert broker.commits == 2
    commits.answered(None, [])  # both, late
    commits.answered(None, [])
    assert not commits.in_flight


def test_a_topic_that_stays_unknown_is_gone_only_if_the_brokers_still_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits_module, "_MISSING_S", 0.0)
    commits = Commits(one_done(), ConsumerReport(["t"]), lambda _partition: None)
    commits.missing("t")
    assert commits.send(cast("Consumer", Broker("t")))
    commits.missing("t")
    with pytest.raises(KafkaFailed, match="is not in Kafka"):
        commits.send(cast("Consumer", Broker()))
