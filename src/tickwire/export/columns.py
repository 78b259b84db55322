"""Converts records to Arrow tables; books become one row for each level change. Pure.

If every record of a batch is written as our writer does, compiled code reads their JSON texts into columns at once,
without Python objects for values (:func:`read_columns`). Any other batch is read record by record.
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from tickwire.compiled import compiled
from tickwire.events.types import MarketEvent

DECIMAL = pa.decimal128(38, 24)  # 14 digits before the point, 24 after it: fits every price and size
TIME = pa.timestamp("us", "UTC")
_TEXT, _LONG = pa.string(), pa.int64()
_NAMES = [("exchange", _TEXT), ("symbol", _TEXT), ("exchange_symbol", _TEXT)]
_CLOCKS = [("exchange_us", _LONG), ("received_us", _LONG)]

# The fields of each kind except levels, in order; then those of a level in a book's row.
_FIELDS = {
    "ticker": [
        *_NAMES,
        *((name, _TEXT) for name in ("bid", "bid_size", "ask", "ask_size", "last")),
        ("sequence", _LONG),
        *_CLOCKS,
    ],
    "trade": [*_NAMES, *((name, _TEXT) for name in ("trade_id", "price", "size", "side")), *_CLOCKS],
    "orderbook": [
        ("action", _TEXT),
        *_NAMES,
        *((name, _LONG) for name in ("depth", "epoch", "book_seq")),
        ("reason", _TEXT),
        ("sequence", _LONG),
        *_CLOCKS,
    ],
}
_OF_LEVELS = [("message", _LONG), *((name, _TEXT) for name in ("side", "price", "size"))]
NUMBERS = frozenset({"bid", "bid_size", "ask", "ask_size", "last", "price", "size"})

Columns = dict[str, pa.Array]


class Unfit(Exception):
    """A batch has a value that does not fit into its column."""


@compiled
def read_columns(
    kind: str,  # noqa: ARG001 - see native/columns.c
    values: tuple[bytes | None, ...],  # noqa: ARG001
    keys: tuple[bytes | None, ...],  # noqa: ARG001
    exact: bool,  # noqa: ARG001
) -> list[tuple[int, bytes | None, bytes | None, bytes]] | None:
    """Read JSON texts of a *kind* into columns in Arrow's memory layout; columns of levels follow those of messages.

    Each column: number of nulls, validity bits, ends of texts, values. *exact*: numbers are decimals. None: a text is
    not written as our writer does or is no event of its key. The Python form always gives None, because it would be no
    faster than reading record by record.
    """
    return None


def rows(kind: str, messages: Sequence[Any], *, exact: bool) -> pa.Table | None:
    """Make the rows of a file: one for each level change of a book, else one for each message. *exact*: decimals.

    A book's message without levels is one row whose side is null. None: read the messages one by one.
    """
    values, keys = (tuple([getattr(message, part)() for message in messages]) for part in ("value", "key"))
    found = read_columns(kind, values, keys, exact)
    if found is None:
        return None
    fields = _FIELDS[kind] + (_OF_LEVELS if kind == "orderbook" else [])
    columns = {
        name: _from_memory(DECIMAL if exact and name in NUMBERS else type_, *column)
        for (name, type_), column in zip(fields, found, strict=True)
    }
    return _table(kind, columns, messages, exact=exact)


def rows_of_events(kind: str, messages: Sequence[Any], events: Sequence[MarketEvent], *, exact: bool) -> pa.Table:
    """The same for decoded messages. Raises :exc:`Unfit`."""
    found: dict[str, list[Any]] = {name: [getattr(event, name) for event in events] for name, _ in _FIELDS[kind]}
    if kind == "orderbook":
        levels = [row for at, event in enumerate(events) for row in _levels(at, event)]
        found |= {name: [row[at] for row in levels] for at, (name, _) in enumerate(_OF_LEVELS)}
    types = dict(_FIELDS[kind]) | (dict(_OF_LEVELS) if kind == "orderbook" else {})
    try:
        columns = {name: pa.array(values, types[name]) for name, values in found.items()}
        return _table(kind, columns, messages, exact=exact)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError) as e:
        raise Unfit from e


def _levels(message: int, book: Any) -> list[tuple[int, str | None, str | None, str | None]]:
    found: list[tuple[int, str | None, str | None, str | None]]
    found = [(message, side, price, size) for side in ("bid", "ask") for price, size in getattr(book, f"{side}s")]
    return found or [(message, None, None, None)]


def _from_memory(type_: pa.DataType, nulls: int, valid: bytes | None, ends: bytes | None, values: bytes) -> pa.Array:
    parts = (valid, ends, values) if type_ == _TEXT else (valid, values)
    count = len(values) * 8 // type_.bit_width if ends is None else len(ends) // 4 - 1
    return pa.Array.from_buffers(type_, count, [None if part is None else pa.py_buffer(part) for part in parts], nulls)


def _table(kind: str, columns: Columns, messages: Sequence[Any], *, exact: bool) -> pa.Table:
    of_levels = {name: columns.pop(name) for name, _ in _OF_LEVELS} if kind == "orderbook" else None
    columns["partition"] = pa.array([message.partition() for message in messages], pa.int32())
    columns["offset"] = pa.array([message.offset() for message in messages], _LONG)
    table = pa.table({_named(name): column for name, column in columns.items()})
    if of_levels is not None:
        table = table.take(of_levels.pop("message"))
        for name, column in of_levels.items():
            table = table.append_column(name, column)
    wanted = schema(kind, exact=exact)
    return table.select(wanted.names).cast(wanted)


def schema(kind: str, *, exact: bool) -> pa.Schema:
    """The columns of a file."""
    fields = _FIELDS[kind] + (_OF_LEVELS[1:] if kind == "orderbook" else [])
    places = [("partition", pa.int32()), ("offset", _LONG)]
    return pa.schema([_field(name, type_, exact=exact) for name, type_ in [*fields, *places]])


def _named(name: str) -> str:
    return {"exchange_us": "exchange_time", "received_us": "received_time"}.get(name, name)


def _field(name: str, type_: pa.DataType, *, exact: bool) -> pa.Field:
    if _named(name) != name:
        return pa.field(_named(name), TIME)
    return pa.field(name, DECIMAL if exact and name in NUMBERS else type_)
