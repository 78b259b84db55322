"""The kinds of event, one row each; code that treats all kinds alike loops over this table.

A row names the three settings of its kind, which are fields of :class:`~tickwire.config.kafka_config.KafkaConfig`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tickwire.config.kafka_config import KafkaConfig
from tickwire.events.book import is_zero, price_key
from tickwire.events.types import MarketEvent, OrderBook, Ticker, Trade


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of event. ``check`` raises :exc:`ValueError` for an event that cannot be true."""

    name: str  # in values, metrics and FEED_CHANNELS
    event: type[MarketEvent]
    schema: str  # that is written
    read: tuple[bytes, ...]  # all schemas that can be read
    topic: str  # the setting with the topic
    format: str  # the setting with the format of its values
    when_full: str  # the setting with what happens while the producer's queue is full
    is_book: bool  # whether a lost record makes those after it useless until the next snapshot
    check: Callable[[Any], None]


def _check_ticker(ticker: Ticker) -> None:
    for price in (ticker.bid, ticker.ask, ticker.last):
        if price is not None:
            price_key(price)
    for size in (ticker.bid_size, ticker.ask_size):
        if size is not None:
            is_zero(size)


def _check_book(book: OrderBook) -> None:
    if book.epoch < 0 or book.book_seq < 0:
        raise ValueError(f"epoch {book.epoch} and book_seq {book.book_seq} must not be negative")
    for side, sign in ((book.bids, -1), (book.asks, 1)):
        last: int | None = None
        for price, size in side:
            key = sign * price_key(price)
            is_zero(size)
            if last is not None and key <= last:
                raise ValueError(f"levels are not in order at price {price}")
            last = key


def _check_trade(trade: Trade) -> None:
    price_key(trade.price)
    if is_zero(trade.size):
        raise ValueError(f"a trade of size {trade.size}")


KINDS = (
    Kind(
        name="ticker",
        event=Ticker,
        schema="ticker/1",
        read=(b"ticker/1",),
        topic="ticker_topic",
        format="ticker_format",
        when_full="when_full_ticker",
        is_book=False,
        check=_check_ticker,
    ),
    Kind(
        name="orderbook",
        event=OrderBook,
        schema="orderbook/2",
        # In orderbook/1 a removal was zero as the exchange wrote it, and a delta had no reason.
        read=(b"orderbook/1", b"orderbook/2"),
        topic="orderbook_topic",
        format="orderbook_format",
        when_full="when_full_orderbook",
        is_book=True,
        check=_check_book,
    ),
    Kind(
        name="trade",
        event=Trade,
        schema="trade/1",
        read=(b"trade/1",),
        topic="trades_topic",
        format="trades_format",
        when_full="when_full_trades",
        is_book=False,
        check=_check_trade,
    ),
)
KIND_OF = {kind.event: kind for kind in KINDS}
BOOKS = frozenset(kind.name for kind in KINDS if kind.is_book)


def topics_by_kind(config: KafkaConfig) -> dict[str, str]:
    """The topic of each kind, by its name."""
    return {kind.name: getattr(config, kind.topic) for kind in KINDS}


def formats_by_kind(config: KafkaConfig) -> dict[str, str]:
    """The name of the format in which each kind is written, by the kind's name."""
    return {kind.name: getattr(config, kind.format) or config.value_format for kind in KINDS}
