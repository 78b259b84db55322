"""Our encoders beside the stock serializers, on the same events, in turns. ``python -m bench.serializers SPEC``.

Nothing is sent. What is measured begins with an event and ends with the bytes of its value, framing included.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from bench import stages
from bench.stock import stock_encoder
from tickwire.events.levels import decode_levels
from tickwire.events.types import OrderBook, Ticker
from tickwire.records.codec import RecordWriter
from tickwire.records.formats import value_format
from tickwire.records.formats.framing import HEAD

_TURNS = 10
_STAGES = {"tickers": stages.tickers, "deltas": stages.deltas, "kraken-deltas": stages.kraken_deltas}


def main() -> None:
    """Compare the values of both sides, measure both in turns, and print the figures."""
    spec = json.loads(sys.argv[1])
    kind, form = spec["channel"], spec["format"]
    events = _events(spec["kind"])
    sides = _ours(kind, form), stock_encoder(kind, form, spec["registry"])
    ours, stock = ([encode(event)[HEAD:] for event in events] for encode in sides)  # their schemas' ids differ
    if ours != stock:
        raise RuntimeError(f"{form} values of {spec['kind']} differ")
    rounds = max(1, spec["count"] // len(events) // _TURNS)
    seconds, cpu = [0.0, 0.0], [0.0, 0.0]
    for _ in range(_TURNS):
        for side, encode in enumerate(sides):
            began, began_cpu = time.perf_counter(), time.process_time()
            for _ in range(rounds):
                for event in events:
                    encode(event)
            seconds[side] += time.perf_counter() - began
            cpu[side] += time.process_time() - began_cpu
    count = rounds * _TURNS * len(events)
    print(json.dumps({"messages": count, "seconds": seconds[0], "cpu_seconds": cpu[0], "stock": count / seconds[1]}))


def _events(kind: str) -> list[Any]:
    """Tickers, or changes of books with lists of levels, as callbacks get them."""
    outputs: Any = _STAGES[kind]()()
    found = [event for output in outputs for event in output if isinstance(event, Ticker | OrderBook)]
    if kind == "tickers":
        return found
    changes = [event for event in found if isinstance(event, OrderBook) and event.action == "delta"]
    for change in changes:
        decode_levels(change)
    return changes


def _ours(kind: str, form: str) -> Callable[[Any], bytes]:
    text, recode = RecordWriter({}).encode, value_format(form, kind, 1).encode
    assert recode is not None  # noqa: S101 - it is not JSON
    return lambda event: recode(text(event))


if __name__ == "__main__":
    main()
