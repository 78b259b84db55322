"""What a publisher asks of several feeds at once."""

from tickwire.errors import KafkaFailed
from tickwire.kafka.producing.flow import Flows, NullFlow


def test_all_wait_and_a_book_is_restarted_by_the_feeds_of_its_exchange() -> None:
    flows, one, other, gone = Flows(), NullFlow(), NullFlow(), NullFlow()
    for exchange, flow in (("binance", one), ("bybit", other), ("bybit", gone)):
        flows.join(exchange, flow)
    flows.leave(gone)
    flows.pause()
    flows.restart("bybit", "BTCUSDT", "overflow")
    flows.resume()
    assert one.asked == ["pause", "resume"]
    assert other.asked == ["pause", "overflow BTCUSDT", "resume"]
    assert gone.asked == []


def test_a_feed_that_joins_later_waits_with_the_others_and_fails_with_them() -> None:
    flows, later, last = Flows(), NullFlow(), NullFlow()
    flows.pause()
    flows.join("binance", later)
    error = KafkaFailed("first")
    flows.failed(error)
    flows.failed(KafkaFailed("second"))
    flows.resume()
    flows.join("binance", last)
    assert (later.asked, later.errors[0]) == (["pause", "resume"], error)
    assert (last.asked, last.errors) == ([], [error])


def test_metrics_of_those_that_are_there_are_brought_up_to_date() -> None:
    flows, exported = Flows(), list[str]()
    one, other = NullFlow(), NullFlow()
    flows.join("binance", one, lambda: exported.append("one"))
    flows.join("kraken", other, lambda: exported.append("other"))
    flows.export()
    flows.leave(one)
    flows.export()
    assert exported == ["one", "other", "other"]
