"""Bitstamp as it looks from outside.

Channels: https://www.bitstamp.net/websocket/v2/
Order book by REST, listing: https://www.bitstamp.net/api/
Differences: changes leave with every step of the market, each with a later time than the one before; the books never
cross; an error names its channel.
"""

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any

import msgspec

from tickwire.simulator.dialect import Answer, Broadcast, Conversation, Kind, Message, prices
from tickwire.simulator.instruments import Instrument, choose_names, scale
from tickwire.simulator.market import Book, Deal, Market

_SIZE_PLACES = 8
_KINDS: dict[str, Kind] = {"diff_order_book": "book", "live_trades": "trade"}


class Dialect:
    """The dialect over a market of *symbols*; subscriptions to a symbol of *refused* (``BTC-USD``) are errors."""

    quote = "USD"
    numbered = False
    heartbeat: str | None = None
    unknown = '{"event":"bts:simulated_notice","channel":"","data":"a kind of message that nobody documented"}'
    ping_interval_s: float | None = None
    messages_per_second: int | None = None
    snapshot_path: str | None = "/api/v2/order_book/"
    faults = frozenset({"stale"})

    def __init__(self, symbols: int | Sequence[str], rng: Random, refused: frozenset[str] = frozenset()) -> None:
        self.market = Market([_instrument(*names) for names in choose_names(symbols, self.quote)], rng)
        self.refused = refused
        self.books = {_native(book): book for book in self.market.books}
        self.all = {
            f"{name}_{native}": Broadcast(kind, f"{name}_{native}", book)
            for name, kind in _KINDS.items()
            for native, book in self.books.items()
        }
        self._times: dict[Book, int] = {}  # of each book's last change

    def open(self, path: str, query: Mapping[str, str]) -> Conversation | None:  # noqa: ARG002 - part of the protocol
        """The root; None elsewhere."""
        return _Session(self) if path == "/" else None

    def advance(self, book: Book, now_us: int) -> list[Message]:
        """Move *book*: a trade a deal, then the change. No client can tell that it missed one."""
        step, native = self.market.step(book), _native(book)
        at_us = self._times[book] = max(now_us, self._times.get(book, 0) + 1)
        changes, trades = self.all[f"diff_order_book_{native}"], self.all[f"live_trades_{native}"]
        messages: list[Message] = []
        if trades.subscribers:
            told = [_event("trade", trades.name, _deal(deal, book, at_us)) for deal in step.deals]
            messages += [Message(trades, text, False) for text in told]
        if changes.subscribers and (step.bids or step.asks):
            sides = [[(abs(key), lots) for key, lots in side.items()] for side in (step.bids, step.asks)]
            bids, asks = (prices(levels, book.instrument) for levels in sides)
            messages.append(Message(changes, _event("data", changes.name, _book(at_us, bids, asks)), False))
        return messages

    def channels(self) -> Iterable[Broadcast]:
        """Both channels of every pair."""
        return self.all.values()

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:  # noqa: ARG002 - part of the protocol
        """``/api/v2/trading-pairs-info/`` and ``/api/v2/order_book/…/``."""
        if path == "/api/v2/trading-pairs-info/":
            return _answer([_listed(book) for book in self.market.books])
        book = self.books.get(path.removeprefix("/api/v2/order_book/").rstrip("/"))
        if book is None:
            return Answer(404, '{"status":"error","reason":"Not found","code":"404.002"}', {})
        true = book.opening() if stale else book
        sides = (prices(side.top(len(side.keys)), book.instrument) for side in (true.bids, true.asks))
        return _answer(_book(0 if stale else self._times.get(book, now_us), *sides))

    def refuse(self, status: int) -> Answer:
        """A refusal as the exchange words it."""
        return Answer(status, '{"status":"error","reason":"Request refused"}', {"Retry-After": "1"})

    def spoil(self, text: str) -> str:
        """There is no checksum. Never called."""
        raise NotImplementedError(text)


class _Session:
    """One connection: the channels it has subscribed."""

    def __init__(self, exchange: Dialect) -> None:
        self._exchange = exchange
        self._carried: dict[str, Broadcast] = {}

    def start(self, now_us: int) -> list[str]:  # noqa: ARG002 - part of the protocol
        return []

    def receive(self, text: str, now_us: int) -> list[str]:  # noqa: ARG002 - part of the protocol
        try:
            request = msgspec.json.decode(text)
            event, name = request["event"], str((request.get("data") or {}).get("channel", ""))
        except (msgspec.DecodeError, TypeError, KeyError, AttributeError):
            return [_error("", "Incorrect JSON format.")]
        if event == "bts:heartbeat":
            return [_event(event, "", {"status": "success"})]
        channel = self._exchange.all.get(name)
        if channel is None or channel.book.instrument.canonical in self._exchange.refused:
            return [_error(name, "Bad subscription string.")]
        if event == "bts:subscribe":
            self._carried[name] = channel
            channel.subscribers[self] = None
            return [_event("bts:subscription_succeeded", name, {})]
        if event == "bts:unsubscribe":
            self._carried.pop(name, None)
            channel.subscribers.pop(self, None)
            return [_event("bts:unsubscription_succeeded", name, {})]
        return [_error(name, "Bad event.")]

    def close(self) -> None:
        for channel in self._carried.values():
            channel.subscribers.pop(self, None)
        self._carried.clear()


def _event(event: str, channel: str, data: object) -> str:
    return msgspec.json.encode({"data": data, "channel": channel, "event": event}).decode()


def _error(channel: str, text: str) -> str:
    return _event("bts:error", channel, {"code": None, "message": text})


def _answer(content: object) -> Answer:
    return Answer(200, msgspec.json.encode(content).decode(), {})


def _book(at_us: int, bids: list[list[str]], asks: list[list[str]]) -> dict[str, Any]:
    return {"timestamp": str(at_us // 1_000_000), "microtimestamp": str(at_us), "bids": bids, "asks": asks}


def _deal(deal: Deal, book: Book, at_us: int) -> dict[str, Any]:
    amount, price = book.instrument.size(deal.lots), book.instrument.price(deal.ticks)
    times = {"timestamp": str(at_us // 1_000_000), "microtimestamp": str(at_us)}
    numbers = {"amount": float(amount), "amount_str": amount, "price": float(price), "price_str": price}
    return {"id": deal.number, **times, **numbers, "type": 0 if deal.buys else 1}


def _native(book: Book) -> str:
    return f"{book.instrument.base}{book.instrument.quote}".lower()


def _instrument(base: str, quote: str) -> Instrument:
    places, ticks = scale(base)
    return Instrument(base, quote, places, _SIZE_PLACES, ticks)


def _listed(book: Book) -> dict[str, object]:
    text = book.instrument
    decimals = {"base_decimals": text.size_places, "counter_decimals": text.price_places}
    return {"name": f"{text.base}/{text.quote}", "url_symbol": _native(book), **decimals, "trading": "Enabled"}
