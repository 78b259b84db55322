"""Books' messages whose levels stay text, for who has many to read and only keeps the books."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw

from tickwire.events.types import OrderBook
from tickwire.kafka.received import ReceivedRecord
from tickwire.records.codec import record_key


class _Book(OrderBook, tag="orderbook"):
    bids: Raw  # type: ignore[assignment]
    asks: Raw  # type: ignore[assignment]


_decode_book: Callable[[bytes], _Book] = msgspec.json.Decoder(_Book).decode


def unread_book(message: Any) -> ReceivedRecord | None:
    """Take a book's message in JSON, leaving its levels text, which books take as it is. Pure.

    That is a third of the work, and books are most of what there is. None: it is no such message, or cannot be one.
    """
    key, value = message.key(), message.value()
    if not value or value[:1] != b"{":
        return None
    try:
        said = _decode_book(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if key != record_key(said.exchange, said.symbol) or said.epoch < 0 or said.book_seq < 0:
        return None
    event = OrderBook(
        action=said.action,
        exchange=said.exchange,
        symbol=said.symbol,
        exchange_symbol=said.exchange_symbol,
        depth=said.depth,
        bids=said.bids,  # type: ignore[arg-type]
        asks=said.asks,  # type: ignore[arg-type]
        epoch=said.epoch,
        book_seq=said.book_seq,
        reason=said.reason,
        sequence=said.sequence,
        exchange_us=said.exchange_us,
        received_us=said.received_us,
    )
    return ReceivedRecord(message.topic(), message.partition(), message.offset(), key, None, _event=event)
