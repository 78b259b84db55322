"""JSON texts of events to Arrow tables, and books to a row a level change. Pure.

The text is parsed by Arrow itself, a batch at once, without a Python object a record. What that takes is not quite what
:func:`~tickwire.records.codec.read_event` takes, so it is checked for what matters here, and a batch that does not pass
is for the caller to read one by one.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

DECIMAL = pa.decimal128(38, 24)  # 14 digits in front of the point, 24 behind it: every price and size there is
TIME = pa.timestamp("us", "UTC")
_NUMBER = r"^[0-9]{1,14}(\.[0-9]{0,24})?$"
_BLOCK = 4 * 1024 * 1024
_PLACE = [("partition", pa.int32()), ("offset", pa.int64())]
_NAMES = [("exchange", pa.string()), ("symbol", pa.string()), ("exchange_symbol", pa.string())]
_CLOCKS = [("exchange_us", pa.int64()), ("received_us", pa.int64())]
_LEVELS = pa.list_(pa.list_(pa.string()))
_TEXT = pa.string()

# What is read of each kind, and of these what must be there.
_READ = {
    "ticker": [
        *_NAMES,
        *((name, _TEXT) for name in ("bid", "bid_size", "ask", "ask_size", "last")),
        ("sequence", pa.int64()),
        *_CLOCKS,
    ],
    "trade": [*_NAMES, *((name, _TEXT) for name in ("trade_id", "price", "size", "side")), *_CLOCKS],
    "orderbook": [
        ("action", _TEXT),
        *_NAMES,
        ("depth", pa.int64()),
        ("bids", _LEVELS),
        ("asks", _LEVELS),
        ("epoch", pa.int64()),
        ("book_seq", pa.int64()),
        ("reason", _TEXT),
        ("sequence", pa.int64()),
        *_CLOCKS,
    ],
}
_MAY_BE_NULL = frozenset({"bid", "bid_size", "ask", "ask_size", "last", "sequence", "exchange_us", "depth", "reason"})
NUMBERS = frozenset({"bid", "bid_size", "ask", "ask_size", "last", "price", "size"})


class Unfit(Exception):
    """A batch has something in it that cannot be taken as it is."""


def parse(kind: str, values: Sequence[bytes], keys: Sequence[bytes | None], *, checked: bool) -> pa.Table:
    """Parse values of a *kind*, one row each, in the columns of the message.

    *checked*: each is an event that was read and written again, so its numbers are known to be some.
    Raises :exc:`Unfit`.
    """
    text = b"\n".join(values)
    if text.count(b"\n") != len(values) - 1:
        raise Unfit
    block = max(_BLOCK, *(len(value) + 2 for value in values))
    schema = pa.schema([("type", _TEXT), *_READ[kind]])
    try:
        table = pj.read_json(
            pa.BufferReader(text),
            read_options=pj.ReadOptions(block_size=block),
            parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        ).combine_chunks()
        _check(kind, table, keys, checked=checked)
    except (pa.ArrowException, ValueError) as e:  # ValueError: not UTF-8
        raise Unfit from e
    return table.drop_columns(["type"])


def _check(kind: str, table: pa.Table, keys: Sequence[bytes | None], *, checked: bool) -> None:
    if table.num_rows != len(keys):
        raise Unfit
    joined = pc.binary_join_element_wise(table["exchange"], table["symbol"], "|").cast(pa.binary())
    there = [table[name].null_count == 0 for name, _ in _READ[kind] if name not in _MAY_BE_NULL]
    truths = [pc.equal(table["type"], kind), pc.equal(joined, pa.array(keys, pa.binary()))]
    if not all(there) or not all(map(_all, truths if checked else [*truths, *_truths(kind, table)])):
        raise Unfit


def _truths(kind: str, table: pa.Table) -> Iterator[Any]:
    """What must be true of each row that nobody has looked at."""
    numbers = [table[name] for name, _ in _READ[kind] if name in NUMBERS]
    if kind == "trade":
        yield pc.is_in(table["side"], pa.array(["buy", "sell"]))
    if kind == "orderbook":
        yield pc.is_in(table["action"], pa.array(["snapshot", "delta", "invalid"]))
        for side in ("bids", "asks"):
            levels = pc.list_flatten(table[side])
            yield pc.equal(pc.list_value_length(levels), 2)
            texts = pc.list_flatten(levels)
            yield pc.is_valid(texts)
            yield pc.match_substring_regex(texts, _NUMBER)
            yield _in_order(table[side].combine_chunks(), pc.greater if side == "bids" else pc.less)
        yield from (pc.greater_equal(table[name], 0) for name in ("epoch", "book_seq"))
    yield from (pc.match_substring_regex(column, _NUMBER) for column in numbers)


def _in_order(lists: Any, compare: Callable[[Any, Any], Any]) -> Any:
    """Whether each level stands in this order to the one behind it, where there is one in its message."""
    prices = pc.list_element(pc.list_flatten(lists), 0).cast(DECIMAL)
    message = pc.list_parent_indices(lists)
    last = max(0, len(prices) - 1)
    others = pc.not_equal(message.slice(0, last), message.slice(1))
    return pc.or_(others, compare(prices.slice(0, last), prices.slice(1)))


def _all(truths: Any) -> bool:
    return pc.all(truths, min_count=0).as_py() is True  # nulls count as true: what may be null was looked at


def rows(kind: str, table: pa.Table, partitions: Sequence[int], offsets: Sequence[int], *, exact: bool) -> pa.Table:
    """Make the rows of a file: of a book one a level change, else one a message. *exact*: numbers as decimals.

    A book's message without a level is one row whose side is null.
    """
    place = {"partition": pa.array(partitions, pa.int32()), "offset": pa.array(offsets, pa.int64())}
    table = pa.table({_named(name): table[name] for name in table.column_names} | place)
    if kind == "orderbook":
        table = _level_changes(table)
    return table.select(schema(kind, exact=exact).names).cast(schema(kind, exact=exact))


def schema(kind: str, *, exact: bool) -> pa.Schema:
    """The columns of a file."""
    read = [(name, type_) for name, type_ in _READ[kind] if name not in {"bids", "asks"}]
    if kind == "orderbook":
        read += [("side", _TEXT), ("price", _TEXT), ("size", _TEXT)]
    return pa.schema([_field(name, type_, exact=exact) for name, type_ in [*read, *_PLACE]])


def _named(name: str) -> str:
    return {"exchange_us": "exchange_time", "received_us": "received_time"}.get(name, name)


def _field(name: str, type_: pa.DataType, *, exact: bool) -> pa.Field:
    if _named(name) != name:
        return pa.field(_named(name), TIME)
    return pa.field(name, DECIMAL if exact and name in NUMBERS else type_)


def _level_changes(table: pa.Table) -> pa.Table:
    """One row a level, bids before asks of each message, in its order."""
    message = pa.array(range(table.num_rows), pa.int64())
    parts = []
    counts = pa.array([0] * table.num_rows, pa.int32())
    for order, side in enumerate(("bids", "asks")):
        lists = table[side].combine_chunks()
        levels = pc.list_flatten(lists)
        parts.append(
            pa.table(
                {
                    "message": pc.list_parent_indices(lists),
                    "order": pa.array([order] * len(levels), pa.int8()),
                    "at": pa.array(range(len(levels)), pa.int64()),
                    "side": pa.array([side[:-1]] * len(levels), _TEXT),
                    "price": pc.list_element(levels, 0),
                    "size": pc.list_element(levels, 1),
                }
            )
        )
        counts = pc.add(counts, pc.list_value_length(lists))
    empty = pc.filter(message, pc.equal(counts, 0))
    nulls = pa.nulls(len(empty), _TEXT)
    zeros = pa.array([0] * len(empty), pa.int64())
    parts.append(
        pa.table(
            {
                "message": empty,
                "order": zeros.cast(pa.int8()),
                "at": zeros,
                "side": nulls,
                "price": nulls,
                "size": nulls,
            }
        )
    )
    levels = pa.concat_tables(parts).sort_by([("message", "ascending"), ("order", "ascending"), ("at", "ascending")])
    of = table.drop_columns(["bids", "asks"]).take(levels["message"])
    for name in ("side", "price", "size"):
        of = of.append_column(name, levels[name])
    return of
