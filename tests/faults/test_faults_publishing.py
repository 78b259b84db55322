"""The publisher under faults that the mock cluster makes on demand. Rows: ROWS.md."""

import pytest

from faults.checker import Sending
from faults.workbench import Bench, Child
from kafka.mock_cluster import METADATA, PRODUCE, MockCluster

# The mock cluster takes a request whose predecessor it refused, which a broker does not (OUT_OF_ORDER_SEQUENCE_NUMBER);
# librdkafka concludes that the predecessor was stored after all. So what is refused here is sent one at a time.
ONE_AT_A_TIME = {"max.in.flight.requests.per.connection": 1}
SMALL = {"queue_max_messages": 200, "linger_ms": 5}
# Errors that pass: https://kafka.apache.org/protocol#protocol_error_codes
NOT_LEADER, TIMED_OUT, NOT_ENOUGH, NOT_ENOUGH_AFTER_APPEND, DENIED = 6, 7, 19, 20, 29
OUT_OF_ORDER, EPOCH = 45, 47
# A cut takes the answers of requests that were stored. They are sent again, and the mock cluster's brokers, which look
# at no sequence, store them twice. That a real broker stores them once is for row 10.
ON_ITS_WAY = 200


def assert_all_delivered(bench: Bench, child: Child, *, replaced: bool = False) -> None:
    """Everything accepted was acknowledged once, and nothing was broken. *replaced*: as of the checker."""
    assert child.stop() == 0
    assert bench.verdict(child, replaced=replaced) == []
    sending = Sending.from_entries(bench.sending.entries)
    assert set(sending.accepted) == set(sending.acknowledged)
    assert child.report["error"] is None
    check_metrics(child)


def check_metrics(child: Child) -> None:
    """I5: the metrics are the ledger."""
    report = child.report
    for topic, numbers in report["accounting"].items():
        for outcome in ("acknowledged", "failed", "dropped"):
            assert report["metrics"][f"{topic} {outcome}"] == numbers[outcome]
        assert report["metrics"].get(f"{topic} kafka_messages_published_total", 0) == numbers["acknowledged"]
        assert report["metrics"][f"{topic} kafka_delivery_errors_total"] == numbers["failed"]
        assert report["metrics"][f"{topic} kafka_producer_queue_drops_total"] == numbers["dropped"]


def test_row_05_slow_broker_pauses_the_sockets_and_memory_stays_bounded(mock: MockCluster, mock_bench: Bench) -> None:
    child = mock_bench.start_producer(SMALL, rate=2000)
    mock.set_round_trip(1000)
    mock_bench.await_acknowledged(300, child)
    mock.set_round_trip(0)
    mock_bench.await_acknowledged(1000, child)
    assert_all_delivered(mock_bench, child)
    assert child.report["pauses"] >= 1
    assert child.report["most_in_flight"] <= 200 + 100  # the queue, and what one turn of the feed brings


def test_row_06_an_outage_longer_than_the_memory_lasts_counts_every_drop(mock: MockCluster, mock_bench: Bench) -> None:
    """With ``block``, which keeps nothing on disk."""
    child = mock_bench.start_producer(SMALL | {"max_block_ms": 300}, rate=1000)
    with mock.down():
        mock_bench.await_sent(3000, child)
    mock_bench.await_acknowledged(2000, child)
    assert child.stop() == 0
    assert mock_bench.verdict(child, duplicates=ON_ITS_WAY) == []
    check_metrics(child)
    dropped = sum(numbers["dropped"] for numbers in child.report["accounting"].values())
    assert dropped > 0
    assert child.report["overflows"] > 0


def test_row_06_an_outage_that_the_disk_holds_loses_no_book(mock: MockCluster, mock_bench: Bench) -> None:
    """With the default policies: books wait on disk, of tickers the newest waits."""
    policies = SMALL | {"when_full_ticker": "conflate", "when_full_orderbook": "spill"}
    child = mock_bench.start_producer(policies, rate=1000)
    with mock.down():
        mock_bench.await_sent(5000, child)
    mock_bench.await_acknowledged(3000, child)
    assert child.stop() == 0
    assert mock_bench.verdict(child, duplicates=ON_ITS_WAY) == []
    check_metrics(child)
    books, ticks = (child.report["accounting"][topic] for topic in (mock_bench.books, mock_bench.ticks))
    assert books["acknowledged"] == books["events"]
    assert ticks["acknowledged"] + ticks["conflated"] == ticks["events"]
    assert ticks["conflated"] > 0
    assert child.report["pauses"] == child.report["overflows"] == 0


@pytest.mark.parametrize("block", [True, False])
def test_row_07_a_burst_of_many_times_the_queue(mock_bench: Bench, block: bool) -> None:
    """With ``block`` all of it is kept; with the policies that keep nothing each drop is counted, no book hides one."""
    policies = {} if block else {"when_full_ticker": "drop", "when_full_orderbook": "invalidate"}
    child = mock_bench.start_producer(SMALL | policies, rate=100)
    child.order("burst 5000")
    mock_bench.until(lambda: any(mock_bench.sending.of("ordered")), child, "the burst")
    mock_bench.await_acknowledged(200, child)
    assert child.stop() == 0
    assert mock_bench.verdict(child) == []
    check_metrics(child)
    dropped = sum(numbers["dropped"] for numbers in child.report["accounting"].values())
    assert (dropped == 0) == block
    assert (child.report["pauses"] > 0) == block


@pytest.mark.parametrize("code", [NOT_ENOUGH, NOT_ENOUGH_AFTER_APPEND])
def test_row_08_too_few_copies_is_waited_for(mock: MockCluster, mock_bench: Bench, code: int) -> None:
    child = mock_bench.start_producer(client=ONE_AT_A_TIME)
    mock.push_request_errors(PRODUCE, *[code] * 20)
    mock_bench.await_acknowledged(1000, child)
    assert_all_delivered(mock_bench, child)


def test_row_09_leaders_change_under_load(mock: MockCluster, mock_bench: Bench) -> None:
    child = mock_bench.start_producer(client=ONE_AT_A_TIME)
    for turn in range(6):
        for topic in mock_bench.topics:
            for partition in range(2):
                mock.set_leader(topic, partition, 1 + (turn + partition) % 3)
        mock.push_request_errors(PRODUCE, NOT_LEADER, NOT_LEADER)
        mock_bench.await_acknowledged(100, child)
    assert_all_delivered(mock_bench, child)


def test_row_10_requests_that_time_out_at_the_broker_are_repeated(mock: MockCluster, mock_bench: Bench) -> None:
    """A connection that breaks is tried on a real Kafka: the mock cluster does not recognise what is sent again."""
    child = mock_bench.start_producer(client=ONE_AT_A_TIME)
    for _ in range(5):
        mock.push_request_errors(PRODUCE, TIMED_OUT, 0, TIMED_OUT)
        mock_bench.await_acknowledged(100, child)
    assert_all_delivered(mock_bench, child)


@pytest.mark.parametrize("code", [OUT_OF_ORDER, EPOCH])
def test_row_11_a_producer_that_lost_its_place_is_replaced_and_nothing_is_lost(
    mock: MockCluster, mock_bench: Bench, code: int
) -> None:
    """What it had is sent again; what Kafka had stored without saying so comes twice: only what was in flight."""
    child = mock_bench.start_producer(SMALL)
    for _ in range(3):
        mock.push_request_errors(PRODUCE, code)
        mock_bench.await_acknowledged(300, child)
    mock_bench.await_caught_up(child)
    assert child.stop() == 0
    assert mock_bench.verdict(child, replaced=True) == []
    check_metrics(child)
    sending = Sending.from_entries(mock_bench.sending.entries)
    assert set(sending.accepted) == set(sending.acknowledged)
    assert child.report["recreated"] >= 1


def test_row_12_one_oversized_message_fails_alone_where_the_client_sees_it(mock_bench: Bench) -> None:
    child = mock_bench.start_producer({"queue_max_bytes": 1 << 20})
    child.order("big K0 1500000")
    mock_bench.await_acknowledged(500, child)
    assert child.stop() == 0
    assert mock_bench.verdict(child) == []
    check_metrics(child)
    assert child.report["accounting"][mock_bench.books]["failed"] == 1
    assert child.report["accounting"][mock_bench.ticks]["failed"] == 0
    assert child.report["overflows"] == 1


def test_row_14_denied_records_fail_counted_and_the_rest_goes_on(mock: MockCluster, mock_bench: Bench) -> None:
    child = mock_bench.start_producer()
    mock.push_request_errors(PRODUCE, *[DENIED] * 3)
    mock_bench.await_acknowledged(1000, child)
    mock_bench.until(lambda: any(mock_bench.sending.of("refused")), child, "a refusal")
    assert child.stop() == 0
    assert mock_bench.verdict(child) == []
    check_metrics(child)
    sending = Sending.from_entries(mock_bench.sending.entries)
    assert {m for m in sending.accepted if m not in sending.acknowledged} >= sending.refused
    assert child.report["error"] is None


@pytest.mark.parametrize("down", [False, True])
def test_row_28_sigterm_under_load_ends_in_time_and_nothing_is_lost(
    mock: MockCluster, mock_bench: Bench, down: bool
) -> None:
    """What Kafka does not take in time goes to disk, and the next start sends it first."""
    child = mock_bench.start_producer(rate=2000, close_seconds=3.0)
    if down:
        mock.set_down()
        mock_bench.await_sent(1000, child)
    assert child.stop(20) == 0
    mock.set_up()
    assert child.report["close_seconds"] < 6
    check_metrics(child)
    waiting = sum(account["spilled"] for account in child.report["accounting"].values())
    assert (waiting > 0) == down
    if not down:
        assert mock_bench.verdict(child) == []
        return
    heir = mock_bench.start_producer(run="heir")
    mock_bench.await_caught_up(heir)
    assert heir.stop() == 0
    assert heir.report["recovered"]["acknowledged"] == heir.report["recovered"]["records"] == waiting
    assert mock_bench.verdict(None, duplicates=ON_ITS_WAY) == []
    sending = Sending.from_entries(mock_bench.sending.entries)
    assert set(sending.accepted) == set(sending.acknowledged)


def test_row_09_stale_metadata_is_asked_for_again(mock: MockCluster, mock_bench: Bench) -> None:
    child = mock_bench.start_producer()
    mock.push_request_errors(METADATA, *[TIMED_OUT] * 3)
    for partition in range(2):
        mock.set_leader(mock_bench.ticks, partition, 2)
    mock_bench.await_acknowledged(300, child)
    assert_all_delivered(mock_bench, child)
