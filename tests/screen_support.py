"""A screen, and a feed of events as from Kafka."""

from collections import Counter
from typing import Any

from tickwire.events.types import MarketEvent, OrderBook
from tickwire.kafka.received import ReceivedRecord
from tickwire.records.codec import record_key
from tickwire.ui.state import Screen

S = 1_000_000
BEGIN = 1_700_000_000 * S


def book(
    action: Any, seq: int, *, seconds: float = 0, reason: str | None = None, symbol: str = "BTC-USDT", epoch: int = 1
) -> OrderBook:
    levels = action != "invalid"
    return OrderBook(
        action=action,
        exchange="kraken",
        symbol=symbol,
        exchange_symbol=symbol,
        depth=10,
        bids=[("100.10", "1.0"), ("100.0", "2")] if levels else [],
        asks=[("100.3", "3")] if levels else [],
        epoch=epoch,
        book_seq=seq,
        reason=reason,
        received_us=BEGIN + int(seconds * S),
    )


class Feed:
    """Passes events to a screen as if from Kafka."""

    def __init__(self) -> None:
        self.screen, self.offset = Screen(), 0

    def take(self, *events: MarketEvent, counts: dict[bytes | None, int] | None = None) -> Screen:
        records = []
        for event in events:
            key = record_key(event.exchange, event.symbol)
            records.append(ReceivedRecord("orderbook.v1.raw", 0, self.offset, key, None, _event=event))
            self.offset += 1
        self.screen.take(records, counts or Counter(record.key for record in records))
        return self.screen

    def row(self, at: int = 0) -> list[Any]:
        return self.screen.since(0)[at]
