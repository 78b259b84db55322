"""Coinbase Advanced Trade as it looks from outside.

Requests: https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-overview
Channels: https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels
Differences: a ticker tells of every new best price and not of trades, with the last price at its opening; changes and
trades leave with every step of the market; heartbeats can be subscribed and do not come; a connection without a
subscription stays.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, ClassVar

from tickwire.simulator.dialect import Broadcast, Conversation, Message
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import Levels, PlainDialect, Session, decoded, encoded, rfc3339
from tickwire.simulator.market import Book, Deal, Quote, Step

_SIDES = ("bid", "offer")


class Dialect(PlainDialect):
    """Coinbase's Advanced Trade."""

    quote = "USD"
    names = (("ticker {}", "ticker"), ("level2 {}", "book"), ("market_trades {}", "trade"))
    too_many: ClassVar[object] = {"error": "rate limit exceeded"}
    unavailable: ClassVar[object] = {"error": "unavailable"}
    unknown = '{"type":"simulated_notice","message":"a kind of message that nobody documented"}'
    messages_per_second = 8
    listing_path = "/api/v3/brokerage/market/products"
    not_found = '{"error":"NOT_FOUND"}'

    def __init__(self, symbols: int | Sequence[str], rng: Random, refused: frozenset[str] = frozenset()) -> None:
        super().__init__(symbols, rng, refused)
        self.sessions: dict[_Session, None] = {}

    def open(self, path: str, query: Mapping[str, str]) -> Conversation | None:  # noqa: ARG002 - part of the protocol
        """The root; None elsewhere."""
        return _Session(self) if path == "/" else None

    def channels(self) -> list[Broadcast]:
        """What every session has subscribed: numbers of messages are its own, so nobody shares one."""
        return [channel for session in self.sessions for channel in session.carried.values()]

    def advance(self, book: Book, now_us: int) -> list[Message]:
        """Move *book*, and say it to each session with the session's own numbers."""
        step = self.market.step(book)
        told = [(session, channel) for session in self.sessions for channel in session.carried.values()]
        return [
            Message(channel, session.said(channel.name.split()[0], [event], now_us), losable=True)
            for session, channel in told
            if channel.book is book and channel.subscribers
            for event in _events(channel, step)
        ]

    def _listing(self, listed: Sequence[object]) -> object:
        return {"products": listed}

    def _listed(self, instrument: Instrument) -> dict[str, object]:
        names = {"product_id": instrument.canonical, "alias": "", "alias_to": [], "product_type": "SPOT"}
        assets = {"base_currency_id": instrument.base, "quote_currency_id": instrument.quote}
        steps = {"quote_increment": instrument.price(1), "base_increment": instrument.size(1)}
        return {**names, **assets, **steps, "status": "online", "trading_disabled": False, "is_disabled": False}


class _Session(Session):
    def __init__(self, exchange: Dialect) -> None:
        super().__init__(exchange)
        self._sessions = exchange.sessions
        self._next = 0  # number of a message

    def start(self, now_us: int) -> list[str]:  # noqa: ARG002 - part of the protocol
        self._sessions[self] = None
        return []

    def receive(self, text: str, now_us: int) -> list[str]:
        request = decoded(text) or {}
        kind, channel, products = request.get("type"), request.get("channel"), request.get("product_ids", [])
        if kind not in {"subscribe", "unsubscribe"} or not isinstance(products, list):
            return [_error("unknown type")]
        if channel == "heartbeats":
            return [self._carried(now_us)]
        names = [f"{channel} {product}" for product in products]
        if kind == "unsubscribe":
            for name in names:
                self.drop(name)
            return [self._carried(now_us)]
        wrong = next((product for product in products if f"{channel} {product}" not in self.exchange.all), None)
        return [_error(f"failed to subscribe: {wrong}")] if wrong is not None else self._subscribe(names, now_us)

    def close(self) -> None:
        super().close()
        self._sessions.pop(self, None)

    def said(self, channel: str, events: list[dict[str, Any]], now_us: int) -> str:
        """Make a message with the session's next number."""
        number, self._next = self._next, self._next + 1
        name = "l2_data" if channel == "level2" else channel
        head = {"channel": name, "client_id": "", "timestamp": rfc3339(now_us), "sequence_num": number}
        events = [_timed(event, rfc3339(now_us)) for event in events]
        return encoded(head | {"events": events})

    def _subscribe(self, names: list[str], now_us: int) -> list[str]:
        """The first messages come before the answer."""
        first: list[str] = []
        for name in names:
            known = self.exchange.all[name]
            channel = Broadcast(known.kind, name, known.book)
            self.carry(channel)
            first.append(self.said(name.split()[0], [_first(channel)], now_us))
        return [*first, self._carried(now_us)]

    def _carried(self, now_us: int) -> str:
        carried: dict[str, list[str]] = {}
        for name in self.carried:
            channel, product = name.split()
            carried.setdefault(channel, []).append(product)
        return self.said("subscriptions", [{"subscriptions": carried}], now_us)


def _events(channel: Broadcast, step: Step) -> list[dict[str, Any]]:
    book = channel.book
    if channel.kind == "ticker":
        return [_ticker(book, quote, "update") for quote in step.quotes]
    if channel.kind == "trade":
        return [{"type": "update", "trades": _deals(book, step.deals)}] if step.deals else []
    levels = [[(abs(key), lots) for key, lots in side.items()] for side in (step.bids, step.asks)]
    return [_levels(book, "update", levels)] if step.bids or step.asks else []


def _first(channel: Broadcast) -> dict[str, Any]:
    book = channel.book
    if channel.kind == "ticker":
        return _ticker(book, book.best(), "snapshot")
    if channel.kind == "trade":
        return {"type": "snapshot", "trades": _deals(book, book.deals)}
    return _levels(book, "snapshot", [side.top(len(side.keys)) for side in (book.bids, book.asks)])


def _levels(book: Book, kind: str, sides: Sequence[Levels]) -> dict[str, Any]:
    """Levels of both sides; a removal is a plain 0."""
    text = book.instrument
    updates = [
        {"side": side, "price_level": text.price(ticks), "new_quantity": text.size(lots) if lots else "0"}
        for side, levels in zip(_SIDES, sides, strict=True)
        for ticks, lots in levels
    ]
    return {"type": kind, "product_id": text.canonical, "updates": updates}


def _ticker(book: Book, quote: Quote, kind: str) -> dict[str, Any]:
    text = book.instrument
    best = {"best_bid": text.price(quote.bid), "best_bid_quantity": text.size(quote.bid_lots)}
    best |= {"best_ask": text.price(quote.ask), "best_ask_quantity": text.size(quote.ask_lots)}
    names = {"type": "ticker", "product_id": text.canonical, "price": text.price(text.opening_ticks)}
    return {"type": kind, "tickers": [names | best]}


def _deals(book: Book, deals: Sequence[Deal]) -> list[dict[str, Any]]:
    """Trades, the newest first; their side is the maker's."""
    text = book.instrument
    return [
        {
            "product_id": text.canonical,
            "trade_id": str(deal.number),
            "price": text.price(deal.ticks),
            "size": text.size(deal.lots),
            "side": "SELL" if deal.buys else "BUY",
        }
        for deal in reversed(deals)
    ]


def _timed(event: dict[str, Any], time: str) -> dict[str, Any]:
    """Each level and each trade has the time."""
    for name, key in (("updates", "event_time"), ("trades", "time")):
        for one in event.get(name, ()):
            one[key] = time
    return event


def _error(message: str) -> str:
    return encoded({"type": "error", "message": message})
