"""The network between the publisher and a real Kafka, and what only a real Kafka does. Rows: ROWS.md."""

from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from faults.checker import Message, Sending, check_accounting, check_log, names
from faults.conftest import Line, MakeBench
from faults.test_faults_publishing import assert_all_delivered, check_metrics
from faults.workbench import Bench
from support import eventually

pytestmark = pytest.mark.kafka

# Long enough to tell a slow machine from a dead line, short enough for a test.
IMPATIENT = {"socket.timeout.ms": 6_000, "request.timeout.ms": 4_000}


@pytest.fixture
def line_bench(line: Line, make_bench: MakeBench) -> Bench:
    bench = make_bench(line.direct)
    bench.create_topics()
    bench.start_witness()
    return bench


@pytest.mark.parametrize("half", [False, True])
def test_row_04_a_line_that_goes_dead_and_comes_back(line: Line, line_bench: Bench, half: bool) -> None:
    """Both ways, and one way only: requests arrive, answers do not."""
    child = line_bench.start_producer({"brokers": line.through_proxy}, client=IMPATIENT)
    line.proxy.swallowed = 0
    line.proxy.lose_answers() if half else line.proxy.blackhole()
    line_bench.await_sent(4_000, child)  # 8 seconds, which is longer than the client waits for an answer
    assert line.proxy.swallowed > 0
    line.proxy.heal()
    line_bench.await_caught_up(child)
    assert_all_delivered(line_bench, child)


def test_row_10_a_connection_cut_before_its_answers_arrive_makes_no_duplicates(line: Line, line_bench: Bench) -> None:
    """The broker has stored what the client sends again: it knows the producer's numbers."""
    child = line_bench.start_producer({"brokers": line.through_proxy}, rate=1000)
    for _ in range(5):
        line.proxy.swallowed = 0
        line.proxy.lose_answers()
        eventually(lambda: line.proxy.swallowed > 0, "a lost answer")
        line.proxy.heal()
        line_bench.await_acknowledged(200, child)
    line_bench.await_caught_up(child)
    assert_all_delivered(line_bench, child)


def test_without_idempotence_the_same_cuts_are_seen_as_duplicates(line: Line, line_bench: Bench) -> None:
    """A negative control of the test above."""
    careless = {"enable.idempotence": False, "enable.gapless.guarantee": False}
    child = line_bench.start_producer({"brokers": line.through_proxy}, client=careless, rate=1000)
    for _ in range(5):
        line.proxy.swallowed = 0
        line.proxy.lose_answers()
        eventually(lambda: line.proxy.swallowed > 0, "a lost answer")
        line.proxy.heal()
        line_bench.await_acknowledged(200, child)
    line_bench.await_caught_up(child)
    assert child.stop() == 0
    assert "duplicate" in names(line_bench.verdict(child))


def test_row_12_one_message_that_the_broker_finds_too_large_fails_alone(bench: Bench) -> None:
    bench.create_topics(settings={"max.message.bytes": "60000"})
    bench.start_witness()
    child = bench.start_producer({"compression": "none", "batch_size": 20_000})
    child.order("big K1 80000")
    bench.until(lambda: any(bench.sending.of("refused")), child, "the refusal")
    bench.await_acknowledged(500, child)
    assert child.stop() == 0
    assert bench.verdict(child) == []
    check_metrics(child)
    assert child.report["accounting"][bench.books]["failed"] == 1
    assert child.report["accounting"][bench.ticks]["failed"] == 0
    assert child.report["overflows"] == 1


def test_row_13_a_topic_deleted_meanwhile_fails_counted_and_the_other_goes_on(bench: Bench) -> None:
    bench.create_topics()
    bench.start_witness()
    child = bench.start_producer(
        client={"topic.metadata.refresh.interval.ms": 1_000, "topic.metadata.propagation.max.ms": 2_000}
    )
    bench.await_acknowledged(200, child)
    admin = AdminClient({"bootstrap.servers": bench.bootstrap})
    admin.delete_topics([bench.books])[bench.books].result(30)
    bench.until(lambda: any(bench.sending.of("refused")), child, "the topic's end is noticed", 60)
    bench.await_acknowledged(300, child)
    child.stop()
    log, violations = bench.log([bench.ticks])
    sending = Sending.from_entries(bench.sending.update())
    violations += check_accounting(sending, child.report["accounting"])
    ticks = {m: place for m, place in sending.acknowledged.items() if m.topic == bench.ticks}
    violations += check_log(sending._replace(acknowledged=ticks), log)
    assert violations == []
    check_metrics(child)
    assert child.report["accounting"][bench.ticks]["failed"] == 0
    assert child.report["accounting"][bench.books]["failed"] > 0


def test_row_24_a_killed_publisher_loses_at_most_what_was_in_flight(bench: Bench) -> None:
    """Acknowledged is stored; of the rest some may be. A new process begins new numbers."""
    bench.create_topics()
    bench.start_witness()
    queue = {"queue_max_messages": 300}
    for turn in range(3):
        child = bench.start_producer(queue, run=f"run{turn}", rate=3000)
        bench.await_acknowledged(700 * (turn + 1), child)
        child.kill()
    last = bench.start_producer(queue, run="last")
    assert last.stop() == 0
    assert bench.verdict(None) == []
    sending = Sending.from_entries(bench.sending.entries)
    log, _ = bench.log()
    stored = {Message(place.topic, content.key, content.number) for place, content in log.items()}
    for turn in range(3):
        lost = [m for m in sending.accepted if m.key.startswith(f"run{turn}|") and m not in stored]
        assert len(lost) <= 300 + 100  # the queue, and what one turn of the feed brings


def test_row_07_bursts_on_a_real_kafka_arrive_in_order(bench: Bench, tmp_path: Path) -> None:
    bench.create_topics()
    bench.start_witness()
    child = bench.start_producer({"queue_max_messages": 500}, keys=20)
    for _ in range(5):
        child.order("burst 3000")
        bench.await_acknowledged(3_000, child)
    assert_all_delivered(bench, child)
    assert child.report["pauses"] > 0
