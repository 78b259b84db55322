"""The best levels of each book after each of its messages, as columns. Pure."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from tickwire.errors import RecordRejected
from tickwire.events.types import OrderBook
from tickwire.export.columns import DECIMAL, TIME
from tickwire.kafka.consuming.market_state import MarketState
from tickwire.kafka.received import ReceivedRecord

_SIDES = ("bid", "ask")


class Depth:
    """Keeps the books, and gives a row for each message from a book's first snapshot on.

    While a book is invalid its levels are null and ``valid`` is false.
    """

    def __init__(self, levels: int, *, exact: bool) -> None:
        self._levels = levels
        self._market = MarketState()
        number = DECIMAL if exact else pa.string()
        names = [f"{side}{what}_{at}" for at in range(1, levels + 1) for side in _SIDES for what in ("", "_size")]
        self.schema = pa.schema(
            [
                *((name, pa.string()) for name in ("exchange", "symbol")),
                *(("exchange_time", TIME), ("received_time", TIME)),
                *(("epoch", pa.int64()), ("book_seq", pa.int64()), ("sequence", pa.int64()), ("valid", pa.bool_())),
                *((name, number) for name in names),
                *(("partition", pa.int32()), ("offset", pa.int64())),
            ]
        )

    def table(self, found: Sequence[Sequence[Any]]) -> pa.Table:
        """Rows as a table."""
        columns: list[Any] = list(zip(*found, strict=True)) or [()] * len(self.schema)
        arrays = []
        for field, column in zip(self.schema, columns, strict=True):
            arrays.append(pa.array(column, pa.string() if field.type == DECIMAL else field.type).cast(field.type))
        return pa.table(arrays, self.schema)

    def row(self, record: ReceivedRecord) -> Sequence[Any] | None:
        """The row of one record; None before the first snapshot. Raises :exc:`~tickwire.errors.RecordRejected`."""
        event = record.event
        if not isinstance(event, OrderBook):
            raise RecordRejected("schema", "it is no message of a book")
        self._market(record)
        state = self._market.books[f"{event.exchange}|{event.symbol}"]
        if state.book is None and not state.reason:
            return None
        valid = state.valid and state.book is not None
        row: list[Any] = [event.exchange, event.symbol, event.exchange_us, event.received_us]
        row += [event.epoch, event.book_seq, event.sequence, valid]
        bids, asks = (
            (state.book.bids.top(self._levels), state.book.asks.top(self._levels)) if valid and state.book else ([], [])
        )
        for at in range(self._levels):
            row += bids[at] if at < len(bids) else (None, None)
            row += asks[at] if at < len(asks) else (None, None)
        return [*row, record.partition, record.offset]
