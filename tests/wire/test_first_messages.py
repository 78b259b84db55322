"""What was accepted and brings nothing is asked for again, ever less often."""

from itertools import pairwise

from tickwire.exchanges.contract import Channel, Symbol
from tickwire.wire.first_messages import FirstMessages

BTC, ETH = Symbol("BTC-USDT", "BTCUSDT"), Symbol("ETH-USDT", "ETHUSDT")
TICKER: Channel = "ticker"
ONE, OTHER = (TICKER, BTC), (TICKER, ETH)


def asked(first: FirstMessages, until: int) -> list[int]:
    """When *ONE* is asked for again, where nothing ever comes."""
    return [now for now in range(until) if first.late([ONE], [], float(now))]


def test_it_is_asked_for_again_after_ever_longer_times() -> None:
    assert asked(FirstMessages(30.0), 500) == [30, 90, 210, 450]


def test_the_times_stop_to_grow() -> None:
    times = asked(FirstMessages(1.0), 200)
    assert [later - before for before, later in pairwise(times)][-2:] == [32, 32]


def test_it_says_for_how_long_it_has_waited() -> None:
    first = FirstMessages(30.0)
    assert first.late([ONE, OTHER], [], 100.0) == []
    assert first.late([ONE], [OTHER], 131.0) == [(ONE, 31.0)]
    assert first.late([OTHER], [ONE], 132.0) == [(OTHER, 32.0)]


def test_waiting_for_an_answer_in_between_is_the_same_wait() -> None:
    first = FirstMessages(30.0)
    first.late([ONE], [], 0.0)
    assert first.late([ONE], [], 30.0)
    assert first.late([], [ONE], 31.0) == []
    assert first.late([ONE], [], 61.0) == []
    assert first.late([ONE], [], 90.0)


def test_what_has_spoken_begins_anew() -> None:
    first = FirstMessages(30.0)
    first.late([ONE], [], 0.0)
    first.late([], [], 1.0)
    assert first.late([ONE], [], 31.0) == []
    assert first.late([ONE], [], 61.0) == [(ONE, 30.0)]


def test_what_was_not_read_was_not_late() -> None:
    first = FirstMessages(30.0)
    first.late([ONE], [], 0.0)
    first.forgive()
    assert first.late([ONE], [], 40.0) == []


def test_zero_seconds_mean_never() -> None:
    assert asked(FirstMessages(0.0), 1000) == []
