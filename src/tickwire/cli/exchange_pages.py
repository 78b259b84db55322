"""Describes exchanges from their modules: for ``tickwire exchanges`` and the page ``docs/exchanges.md``."""

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from types import ModuleType
from typing import cast

from tickwire import exchanges
from tickwire.exchanges.contract import Exchange

_INTRO = """\
# Exchanges

For everyone who reads an exchange with tickwire: what each one offers, how its books and trades are checked, and its
limits with their sources. `tickwire exchanges --page` writes this page from the modules in `src/tickwire/exchanges/`;
`tickwire exchanges` shows the table below, and `tickwire exchanges NAME` the part of one exchange.

- **Depths**: the numbers of levels on each side to which an order book can be kept correct. The smallest that is enough
  for `FEED_ORDERBOOK_DEPTH` is used.
- **Book checks**: how missing or wrong changes of an order book are detected. *sequence*: numbers link each change to
  the one before it. *checksum*: the exchange sends a checksum of its own book. *none*: a lost change cannot be
  detected; only silence, and sides that cross, are noticed.
- **Trade checks**: *ids*: trades are numbered without holes, and holes are counted.
- **Sizes**: what published sizes count.
- **Compiled**: the channels whose usual frames compiled code handles without the adapter."""
_WITH_SHAPES = ("ticker", "orderbook", "trade")
# The shown fields of an exchange's table, and their labels.
_LIMITS = {
    "symbols_per_connection": "symbols on one connection",
    "message_interval_s": "time between two of our messages",
    "connect_interval_s": "time between two attempts to connect",
    "max_connection_s": "longest life of a connection",
    "rest_limits": "weight of REST requests",
    "keepalive_s": "ping in any case every",
    "ping_interval_s": "ping after silence of",
    "silence_s": "connection closed after silence of",
    "subscription_silence_s": "order book restarted after silence of at most",
    "crossed_s": "order book restarted after being crossed for",
    "max_frame_bytes": "longest message",
}


def short(name: str) -> dict[str, str]:
    """Describe one exchange on one line."""
    module = exchanges.load(name)
    exchange, shapes = module.EXCHANGE, getattr(module.Adapter, "shapes", None) or ()
    return {
        "exchange": name,
        "channels": ", ".join(exchange.channels),
        "depths": _depths(exchange.book_depths),
        "book checks": ", ".join(exchange.checks) or "none",
        "trade checks": "ids" if exchange.trades_numbered else "none" if "trade" in exchange.channels else "",
        "sizes": exchange.sizes,
        "compiled": ", ".join(c for c, shape in zip(_WITH_SHAPES, shapes, strict=False) if shape) or "none",
    }


def long(name: str) -> str:
    """Describe one exchange with its limits, their sources, and its module's docstring."""
    module = cast("ModuleType", exchanges.load(name))
    exchange: Exchange = module.EXCHANGE
    title, *said = (part for doc in _docs(module) for part in _paragraphs(doc))
    addresses = {"address": exchange.ws_url} | {f"address of {c}": url for c, url in exchange.ws_urls.items()}
    rows = [[what, f"`{url}`", ""] for what, url in {**addresses, "REST": exchange.rest_url}.items()]
    rows += [[what, value, ""] for what, value in list(short(name).items())[1:]]
    notes = _notes(module)
    values = {field: _value(field, getattr(exchange, field)) for field in _LIMITS}
    rows += [[_LIMITS[field], value, notes.get(field, "")] for field, value in values.items() if value]
    return "\n\n".join([f"## {name}", title, *said, _table(["", "", "source"], rows)])


def page() -> str:
    """Describe all exchanges."""
    rows = [short(name) for name in exchanges.names()]
    linked = ([f"[{name}](#{name})", *rest] for name, *rest in (row.values() for row in rows))
    return "\n\n".join([_INTRO, _table(list(rows[0]), linked), *map(long, exchanges.names())]) + "\n"


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [heading, ["---"] * len(heading), *rows])


def _docs(module: ModuleType) -> Iterator[str]:
    """The module's docstring, and without their titles those of the modules that it shares with related exchanges."""
    yield inspect.getdoc(module) or ""
    for kind in module.Adapter.__mro__:
        if kind.__module__.startswith(f"{exchanges.__name__}._"):
            yield (inspect.getdoc(sys.modules[kind.__module__]) or "").partition("\n\n")[2]


def _paragraphs(doc: str) -> Iterator[str]:
    """Yield paragraphs as Markdown: addresses one a line, other text as one line."""
    for part in filter(None, doc.replace("``", "`").split("\n\n")):
        for addresses, group in groupby(part.split("\n"), lambda line: "://" in line or "…/" in line):
            lines = list(group)
            yield "\n".join(f"- {line}" for line in lines) if addresses else " ".join(lines)


def _notes(module: ModuleType) -> dict[str, str]:
    """Read the comments after the values of the module's table, and of the table that it derives from."""
    notes: dict[str, str] = {}
    for other in vars(module).values():
        if isinstance(other, ModuleType) and hasattr(other, "EXCHANGE"):
            notes |= _notes(other)
    source = inspect.getsource(module)
    lines = source.encode().split(b"\n")
    tables = (
        node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _is_table(node.targets[0])
    )
    for field in next(tables).keywords:
        behind = lines[(field.value.end_lineno or 0) - 1][field.value.end_col_offset or 0 :]
        if field.arg is not None:
            notes[field.arg] = behind.partition(b"#")[2].decode().strip()
    return notes


def _is_table(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and target.id == "EXCHANGE"


def _depths(depths: Sequence[int]) -> str:
    return f"{depths[0]} to {depths[-1]}" if isinstance(depths, range) else ", ".join(map(str, depths))


def _value(field: str, value: object) -> str:
    """A limit as text; empty if there is none."""
    if isinstance(value, tuple):
        groups = (
            f"{limit.weight} in {_seconds(limit.seconds)}" + f" ({limit.group})" * bool(limit.group) for limit in value
        )
        return ", ".join(groups)
    if isinstance(value, int | float):
        if field.endswith("_s"):
            return _seconds(value)
        return f"{value // 2**20} MiB" if field.endswith("_bytes") else str(value)
    return ""


def _seconds(seconds: float) -> str:
    return f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds:g} s"
