"""A small exchange for tests: an adapter with every kind of output, and limits of fractions of a second."""

import json
from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from tickwire.errors import FrameRejected, NotWanted, UnknownSymbol
from tickwire.events.book import Book
from tickwire.events.types import OrderBook, Ticker
from tickwire.exchanges.contract import (
    Channel,
    Exchange,
    Fetch,
    Output,
    Reconnect,
    Refused,
    Resync,
    Send,
    Subscribed,
    Symbol,
)
from tickwire.exchanges.symbols import Listing

LIMITS: dict[str, Any] = {
    "name": "toy",
    "ws_url": "wss://toy.invalid/ws",
    "rest_url": "https://toy.invalid",
    "listing_paths": ("/listing",),
    "listing_weight": 1,
    "channels": ("ticker", "orderbook"),
    "symbols_per_connection": 2,
    "message_interval_s": 0.0,
    "connect_interval_s": 0.0,
    "max_connection_s": None,
    "ping_interval_s": 30.0,
    "silence_s": 60.0,
    "subscription_silence_s": 60.0,
    "crossed_s": 30.0,
    "ack_timeout_s": 30.0,
    "max_frame_bytes": 100_000,
    "book_depths": range(1, 1001),
}


def toy(**limits: Any) -> Any:
    """An exchange module with these limits.

    ``text_ping`` makes it ping by a message; ``listings`` and ``address`` are what such a module may have besides.
    """
    text_ping = limits.pop("text_ping", None)
    more = {name: limits.pop(name) for name in ("listings", "address") if name in limits}

    class ToyAdapter(Adapter):
        def ping(self) -> bytes | None:
            return text_ping  # type: ignore[no-any-return]

    return SimpleNamespace(
        EXCHANGE=Exchange(**(LIMITS | limits)), Adapter=ToyAdapter, read_listing=read_listing, derive=derive, **more
    )


def read_listing(body: bytes) -> Listing:
    """Read a list of names; those that begin with ``~`` do not trade now."""
    try:
        symbols = {name: symbol(name.removeprefix("~")) for name in json.loads(body)}
    except ValueError as e:
        raise FrameRejected("malformed", str(e)) from None
    return Listing(symbols.values(), resting={one.native: "HALT" for name, one in symbols.items() if name[0] == "~"})


def derive(name: str) -> Symbol:
    if "-" not in name:
        raise UnknownSymbol(name, "toy", [])
    return symbol(name)


def symbol(name: str) -> Symbol:
    return Symbol(name, name.replace("-", ""))


class Adapter:
    """Subscribes by ``{"sub": name, "on": channel}``; see :meth:`_translate` for what the server may say."""

    def __init__(self, symbols: Sequence[Symbol], channels: Sequence[Channel], depth: int) -> None:
        self._symbols = {s.native: s for s in symbols}
        self._pending: dict[tuple[Channel, str], None] = {(c, s.native): None for s in symbols for c in channels}
        self._books: dict[str, Book] = {}
        self._numbers: dict[str, int] = {}
        self._why: dict[str, str] = {}
        self._channels, self._started, self._left = channels, False, set[str]()
        self.spoken, self._said = channels, Counter[str]()

    def start(self) -> list[Output]:
        self._started = True
        return [_message(sub=name, on=channel) for channel, name in self._pending]

    def add(self, symbols: Sequence[Symbol]) -> list[Output]:
        new: list[tuple[Channel, str]] = [(channel, s.native) for s in symbols for channel in self._channels]
        self._symbols |= {s.native: s for s in symbols}
        self._pending |= dict.fromkeys(new)
        return [_message(sub=name, on=channel) for channel, name in new] if self._started else []

    def remove(self, symbols: Sequence[Symbol]) -> list[Output]:
        for name in [s.native for s in symbols]:
            self._symbols.pop(name)
            self._books.pop(name, None)
            self._numbers.pop(name, None)
            self._left.add(name)
        self._pending = {key: None for key in self._pending if key[1] in self._symbols}
        return [_message(unsub=s.native) for s in symbols] if self._started else []

    def retry(self) -> list[Output]:
        return [_message(sub=name, on=channel, again="1") for channel, name in self._pending]

    def receive(self, payload: bytes, received_us: int) -> list[Output]:
        if payload == b"ping":
            return [Send(b'{"pong": 1}', urgent=True)]
        try:
            said = json.loads(payload)
        except (ValueError, RecursionError) as e:
            raise FrameRejected("malformed", str(e)) from None
        if not isinstance(said, dict):
            raise FrameRejected("unknown", "no object")
        if "crash" in said:
            raise ZeroDivisionError
        if "leave" in said:
            return [Reconnect(said["leave"])]
        if "send" in said:
            return [Send(said["send"].encode(), said["delay"])]
        return self._translate(said, received_us)

    def _translate(self, said: dict[str, Any], received_us: int) -> list[Output]:
        name = said.get("name")
        if name not in self._symbols and name in self._left:
            raise NotWanted(name)
        if name not in self._symbols:
            raise FrameRejected("unknown", f"no such name {name!r}")
        found = self._symbols[name]
        if "ok" in said:
            self._pending.pop((said["ok"], name), None)
            return [Subscribed(said["ok"], found)]
        if "no" in said:
            self._pending.pop((said["no"], name), None)
            return [Refused(said["no"], found, "we do not know it")]
        if "fetch" in said:
            return [Fetch(found, said["fetch"], said.get("weight", 1), group=said.get("group", ""))]
        if "bid" in said:
            self._said[name] += 1
            return [_ticker(found, said["bid"], received_us)]
        return self._book(found, said, received_us)

    def _book(self, found: Symbol, said: dict[str, Any], received_us: int) -> list[Output]:
        name, number = found.native, said["n"]
        bids = [(p, s) for p, s in said.get("bids", [])]
        asks = [(p, s) for p, s in said.get("asks", [])]
        if said["book"] == "whole":
            reason = "resync" if name in self._numbers else "initial"
            self._books[name], self._numbers[name] = Book(bids, asks), number
            return [_book(found, "snapshot", reason, received_us, number, bids, asks)]
        if name not in self._books:
            return []
        if number != self._numbers[name] + 1:
            return self.restart(found, "gap", received_us)
        self._books[name].apply(bids, asks)
        self._numbers[name] = number
        return [_book(found, "delta", None, received_us, number, bids, asks)]

    def bound(self, levels: int) -> None:
        pass

    def asking(self, fetch: Fetch) -> None:
        pass

    def fetched(self, fetch: Fetch, body: bytes, received_us: int) -> list[Output]:
        return self.receive(body, received_us)

    def restart(self, symbol: Symbol, reason: str, received_us: int) -> list[Output]:
        out: list[Output] = [Resync(symbol, reason)]
        if self._books.pop(symbol.native, None) is not None:
            out.insert(0, _book(symbol, "invalid", reason, received_us, None, [], []))
        self._why[symbol.native] = reason
        return out

    def resync(self, symbol: Symbol) -> list[Output]:
        return [_message(again=symbol.native, why=self._why[symbol.native])]

    def stop(self) -> list[Output]:
        return [_message(unsub=name) for name in self._symbols]

    def ping(self) -> bytes | None:
        return None

    def book(self, symbol: Symbol) -> Book | None:
        return self._books.get(symbol.native)

    def unheard(self) -> list[tuple[Channel, Symbol]]:
        return []

    def tickers(self, symbol: Symbol) -> int:
        return self._said[symbol.native]

    def renew(self, channel: Channel, symbol: Symbol, received_us: int) -> list[Output]:
        return [_message(unsub=symbol.native), _message(sub=symbol.native, on=channel)]

    def pending(self) -> list[tuple[Channel, Symbol]]:
        return [(channel, self._symbols[name]) for channel, name in self._pending]


def _message(**content: str) -> Send:
    return Send(json.dumps(content).encode())


def _ticker(found: Symbol, bid: str, received_us: int) -> Ticker:
    return Ticker(
        exchange="toy",
        symbol=found.canonical,
        exchange_symbol=found.native,
        bid=bid,
        bid_size="1",
        ask=None,
        ask_size=None,
        received_us=received_us,
    )


def _book(
    found: Symbol, action: Any, reason: str | None, us: int, number: int | None, bids: Any, asks: Any
) -> OrderBook:
    message = OrderBook(
        action=action,
        exchange="toy",
        symbol=found.canonical,
        exchange_symbol=found.native,
        depth=None,
        bids=bids,
        asks=asks,
        sequence=number,
        received_us=us,
    )
    if reason is not None:
        message.reason = reason
    return message
