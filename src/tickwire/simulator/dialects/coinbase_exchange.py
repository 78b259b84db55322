"""Coinbase Exchange as it looks from outside.

Channels: https://docs.cdp.coinbase.com/exchange/websocket-feed/channels
Differences: a ticker tells of every new best price and not of trades, with the last price at its opening; changes leave
with every step of the market, not every 50 ms; a connection without a subscription stays; no last match comes first.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

import msgspec

from tickwire.simulator.dialect import Answer, Broadcast, Conversation, Kind, Message, prices
from tickwire.simulator.instruments import Instrument, choose_names, scale
from tickwire.simulator.market import Book, Deal, Market, Quote

_SIZE_PLACES = 8
_ZEROS = ("0", "0.0", "0.00000000")  # the exchange spells a removal in many ways
_KINDS: dict[str, Kind] = {"ticker": "ticker", "level2_batch": "book", "matches": "trade"}


class Dialect:
    """The dialect over a market of *symbols*; subscriptions to a symbol of *refused* (``BTC-USD``) are errors."""

    quote = "USD"
    numbered = False
    heartbeat: str | None = None
    unknown = '{"type":"simulated_notice","text":"a kind of message that nobody documented"}'
    ping_interval_s: float | None = None
    messages_per_second: int | None = 100
    snapshot_path: str | None = None
    faults: frozenset[str] = frozenset()

    def __init__(self, symbols: int | Sequence[str], rng: Random, refused: frozenset[str] = frozenset()) -> None:
        self.market = Market([_instrument(*names) for names in choose_names(symbols, self.quote)], rng)
        self.refused = refused
        self.books = {book.instrument.canonical: book for book in self.market.books}
        self.all: dict[tuple[str, str], Broadcast] = {
            (name, product): Broadcast(kind, f"{name} {product}", book)
            for name, kind in _KINDS.items()
            for product, book in self.books.items()
        }

    def open(self, path: str, query: Mapping[str, str]) -> Conversation | None:  # noqa: ARG002 - part of the protocol
        """The root; None elsewhere."""
        return _Session(self) if path == "/" else None

    def advance(self, book: Book, now_us: int) -> list[Message]:
        """Move *book*: a match a deal, a ticker a new best, then one l2update. No client can tell what it missed."""
        step, product = self.market.step(book), book.instrument.canonical
        ticker, level2, matches = (self.all[name, product] for name in _KINDS)
        messages: list[Message] = []
        if matches.subscribers:
            messages += [Message(matches, _match(book, deal, now_us), False) for deal in step.deals]
        if ticker.subscribers:
            messages += [Message(ticker, _ticker(book, quote, now_us), False) for quote in step.quotes]
        if level2.subscribers and (step.bids or step.asks):
            sides = (("buy", step.bids), ("sell", step.asks))
            changes = [[side, *level] for side, changed in sides for level in _levels(changed, book.instrument)]
            update = {"type": "l2update", "product_id": product, "changes": changes, "time": _time(now_us)}
            messages.append(Message(level2, msgspec.json.encode(update).decode(), False))
        return messages

    def channels(self) -> Iterable[Broadcast]:
        """Both channels of every product."""
        return self.all.values()

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:  # noqa: ARG002 - part of the protocol
        """``/products``."""
        if path != "/products":
            return Answer(404, '{"message":"NotFound"}', {})
        return Answer(200, msgspec.json.encode([_listed(book.instrument) for book in self.market.books]).decode(), {})

    def refuse(self, status: int) -> Answer:
        """A refusal as the exchange words it."""
        text = "Service Unavailable" if status == 503 else "Public rate limit exceeded"
        return Answer(status, msgspec.json.encode({"message": text}).decode(), {"Retry-After": "1"})

    def spoil(self, text: str) -> str:
        """There is no checksum. Never called."""
        raise NotImplementedError(text)


class _Session:
    """One connection: its subscriptions by channel and product."""

    def __init__(self, exchange: Dialect) -> None:
        self._exchange = exchange
        self._carried: dict[tuple[str, str], Broadcast] = {}

    def start(self, now_us: int) -> list[str]:  # noqa: ARG002 - part of the protocol
        return []

    def receive(self, text: str, now_us: int) -> list[str]:
        try:
            request = msgspec.json.decode(text)
            method = request["type"]
            asked = [
                (channel["name"], product) for channel in request["channels"] for product in channel["product_ids"]
            ]
        except (msgspec.DecodeError, TypeError, KeyError):
            return [_error("Malformed JSON", "")]
        if method not in {"subscribe", "unsubscribe"}:
            return [_error("Unknown type", str(method))]
        wrong = next((reason for name, product in asked if (reason := self._wrong(name, product))), None)
        if wrong is not None:
            return [_error(f"Failed to {method}", wrong)]
        return self._subscribe(asked, now_us) if method == "subscribe" else self._unsubscribe(asked)

    def close(self) -> None:
        self._unsubscribe(list(self._carried))

    def _wrong(self, name: str, product: str) -> str | None:
        if name not in _KINDS:
            return f"{name} is not a valid channel"
        if product not in self._exchange.books or product in self._exchange.refused:
            return f"{product} is not a valid product"
        return None

    def _subscribe(self, asked: Iterable[tuple[str, str]], now_us: int) -> list[str]:
        first: list[str] = []
        for name, product in asked:
            channel = self._carried[name, product] = self._exchange.all[name, product]
            channel.subscribers[self] = None
            book = channel.book
            if name != "matches":
                first.append(_ticker(book, _best(book), now_us) if name == "ticker" else _snapshot(book, now_us))
        return [self._list(), *first]

    def _unsubscribe(self, asked: Iterable[tuple[str, str]]) -> list[str]:
        for key in asked:
            channel = self._carried.pop(key, None)
            if channel is not None:
                channel.subscribers.pop(self, None)
        return [self._list()]

    def _list(self) -> str:
        names = dict.fromkeys(name for name, _ in self._carried)
        channels = [{"name": name, "product_ids": [p for n, p in self._carried if n == name]} for name in names]
        return msgspec.json.encode({"type": "subscriptions", "channels": channels}).decode()


def _error(message: str, reason: str) -> str:
    return msgspec.json.encode({"type": "error", "message": message, "reason": reason}).decode()


def _snapshot(book: Book, now_us: int) -> str:
    asks, bids = (prices(side.top(len(side.keys)), book.instrument) for side in (book.asks, book.bids))
    product = {"type": "snapshot", "product_id": book.instrument.canonical}
    return msgspec.json.encode({**product, "asks": asks, "bids": bids, "time": _time(now_us)}).decode()


def _time(now_us: int) -> str:
    return datetime.fromtimestamp(now_us // 1_000_000, UTC).strftime(f"%Y-%m-%dT%H:%M:%S.{now_us % 1_000_000:06d}Z")


def _levels(changed: Mapping[int, int], instrument: Instrument) -> list[list[str]]:
    return [
        [instrument.price(abs(key)), instrument.size(lots) if lots else _ZEROS[abs(key) % len(_ZEROS)]]
        for key, lots in changed.items()
    ]


def _ticker(book: Book, quote: Quote, now_us: int) -> str:
    price, size = book.instrument.price, book.instrument.size
    opening = price(book.instrument.opening_ticks)
    ticker: dict[str, Any] = {"type": "ticker", "sequence": quote.update_id, "product_id": book.instrument.canonical}
    day = {"price": opening, "open_24h": opening, "volume_24h": "0", "low_24h": opening, "high_24h": opening}
    bid = {"volume_30d": "0", "best_bid": price(quote.bid), "best_bid_size": size(quote.bid_lots)}
    ask = {"best_ask": price(quote.ask), "best_ask_size": size(quote.ask_lots), "side": "buy"}
    trade = {"time": _time(now_us), "trade_id": 1, "last_size": size(1)}
    return msgspec.json.encode(ticker | day | bid | ask | trade).decode()


def _match(book: Book, deal: Deal, now_us: int) -> str:
    """A trade; its side is the maker's."""
    price, size = book.instrument.price(deal.ticks), book.instrument.size(deal.lots)
    side = "sell" if deal.buys else "buy"
    product = {"product_id": book.instrument.canonical, "sequence": book.update_id, "time": _time(now_us)}
    match = {"type": "match", "trade_id": deal.number, "side": side, "size": size, "price": price}
    return msgspec.json.encode(match | product).decode()


def _best(book: Book) -> Quote:
    (bid, bid_lots), (ask, ask_lots) = book.bids.top(1)[0], book.asks.top(1)[0]
    return Quote(book.update_id, bid, bid_lots, ask, ask_lots)


def _instrument(base: str, quote: str) -> Instrument:
    places, ticks = scale(base)
    return Instrument(base, quote, places, _SIZE_PLACES, ticks)


def _listed(instrument: Instrument) -> dict[str, object]:
    names = {"id": instrument.canonical, "base_currency": instrument.base, "quote_currency": instrument.quote}
    steps = {"quote_increment": instrument.price(1), "base_increment": instrument.size(1)}
    return {**names, **steps, "status": "online", "status_message": "", "trading_disabled": False, "post_only": False}
