"""Trades of the kit: checked, those of symbols that were asked for, and the first one implies the subscription."""

from collections.abc import Sequence
from typing import Any

import pytest

from exchanges.kept import BTC
from feed.toy_exchange import LIMITS
from tickwire.errors import FrameRejected
from tickwire.events.types import Trade
from tickwire.exchanges.contract import Exchange, Subscribed
from tickwire.exchanges.kit import BridgedBook, Item, KitAdapter, Method

GOOD: dict[str, Any] = {"trade_id": "7", "price": "65000.20", "size": "0.50", "side": "sell"}


class Adapter(KitAdapter[BridgedBook]):
    exchange = Exchange(**LIMITS)
    most = 9

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:
        return f"{method} {items} {number}".encode()


class Numbered(Adapter):
    exchange = Exchange(**LIMITS, trades_numbered=True)


def test_a_trade_leaves_as_the_exchange_wrote_it_and_the_first_one_implies_the_subscription() -> None:
    adapter = Adapter([BTC], ["trade"], 10)
    names: dict[str, Any] = {"exchange": "toy", "symbol": "BTC-USD", "exchange_symbol": "BTCUSD"}
    trade = Trade(**names, **GOOD, exchange_us=5, received_us=6)
    assert adapter.trade("BTCUSD", **GOOD, received_us=6, exchange_us=5) == [Subscribed("trade", BTC), trade]
    assert adapter.trade("BTCUSD", **GOOD, received_us=6, exchange_us=5) == [trade]
    assert adapter.pending() == []


@pytest.mark.parametrize(
    ("wrong", "numbered"),
    [
        ({"price": "x"}, False),
        ({"size": "-1"}, False),
        ({"size": "0.00"}, False),
        ({"trade_id": ""}, False),
        ({"trade_id": "a7"}, True),
        ({"trade_id": "-7"}, True),
        ({"trade_id": "7" * 5000}, True),
    ],
)
def test_what_cannot_be_true_is_rejected(wrong: dict[str, str], numbered: bool) -> None:
    adapter = (Numbered if numbered else Adapter)([BTC], ["trade"], 10)
    with pytest.raises(FrameRejected) as caught:
        adapter.trade("BTCUSD", **GOOD | wrong, received_us=6)
    assert caught.value.reason == "malformed"
    assert len(str(caught.value)) < 400
    assert adapter.pending() == [("trade", BTC)]


@pytest.mark.parametrize("native", [None, "ETHUSD"])
def test_a_trade_that_was_not_asked_for_is_rejected(native: str | None) -> None:
    with pytest.raises(FrameRejected) as caught:
        Adapter([BTC], ["trade"], 10).trade(native, **GOOD, received_us=6)
    assert caught.value.reason == "unknown"
