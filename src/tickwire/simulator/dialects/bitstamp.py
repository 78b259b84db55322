"""Bitstamp as it looks from outside.

Channels: https://www.bitstamp.net/websocket/v2/
Order book by REST, listing: https://www.bitstamp.net/api/
Differences: changes leave with every step of the market, each with a later time than the one before; the books never
cross; an error names its channel.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import msgspec

from tickwire.simulator.dialect import Answer, Conversation, Message, prices
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import PlainDialect, Session, answer, encoded, refusal
from tickwire.simulator.market import Book, Deal


class Dialect(PlainDialect):
    """Bitstamp's spot."""

    quote = "USD"
    names = (("diff_order_book_{}", "book"), ("live_trades_{}", "trade"))
    snapshot_path = "/api/v2/order_book/"
    faults = frozenset({"stale"})
    unknown = '{"event":"bts:simulated_notice","channel":"","data":"a kind of message that nobody documented"}'

    def __init__(self, symbols: int | Sequence[str], rng: Random, refused: frozenset[str] = frozenset()) -> None:
        super().__init__(symbols, rng, refused)
        self._times: dict[Book, int] = {}  # of each book's last change

    def native(self, base: str, quote: str) -> str:
        """``btcusd``."""
        return f"{base}{quote}".lower()

    def open(self, path: str, query: Mapping[str, str]) -> Conversation | None:  # noqa: ARG002 - part of the protocol
        """The root; None elsewhere."""
        return _Session(self) if path == "/" else None

    def advance(self, book: Book, now_us: int) -> list[Message]:
        """Move *book*: a trade a deal, then the change. No client can tell that it missed one."""
        step = self.market.step(book)
        at_us = self._times[book] = max(now_us, self._times.get(book, 0) + 1)
        changes, trades = self.of[book]
        messages: list[Message] = []
        if trades.subscribers:
            told = [_event("trade", trades.name, _deal(deal, book, at_us)) for deal in step.deals]
            messages += [Message(trades, text, False) for text in told]
        if changes.subscribers and (step.bids or step.asks):
            sides = [[(abs(key), lots) for key, lots in side.items()] for side in (step.bids, step.asks)]
            bids, asks = (prices(levels, book.instrument) for levels in sides)
            messages.append(Message(changes, _event("data", changes.name, _book(at_us, bids, asks)), False))
        return messages

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:  # noqa: ARG002 - part of the protocol
        """``/api/v2/trading-pairs-info/`` and ``/api/v2/order_book/…/``."""
        if path == "/api/v2/trading-pairs-info/":
            return answer([_listed(book.instrument) for book in self.market.books])
        book = self.books.get(path.removeprefix("/api/v2/order_book/").rstrip("/"))
        if book is None:
            return Answer(404, '{"status":"error","reason":"Not found","code":"404.002"}', {})
        true = book.opening() if stale else book
        sides = (prices(side.top(), book.instrument) for side in (true.bids, true.asks))
        return answer(_book(0 if stale else self._times.get(book, now_us), *sides))

    def refuse(self, status: int) -> Answer:
        """A refusal as the exchange words it."""
        return refusal(status, {"status": "error", "reason": "Request refused"})


class _Session(Session[Dialect]):
    def receive(self, text: str, now_us: int) -> list[str]:  # noqa: ARG002 - part of the protocol
        try:
            request = msgspec.json.decode(text)
            event, name = request["event"], str((request.get("data") or {}).get("channel", ""))
        except (msgspec.DecodeError, TypeError, KeyError, AttributeError):
            return [_error("", "Incorrect JSON format.")]
        if event == "bts:heartbeat":
            return [_event(event, "", {"status": "success"})]
        channel = self.exchange.all.get(name)
        if channel is None:
            return [_error(name, "Bad subscription string.")]
        if event == "bts:subscribe":
            self.carry(channel)
            return [_event("bts:subscription_succeeded", name, {})]
        if event == "bts:unsubscribe":
            self.drop(name)
            return [_event("bts:unsubscription_succeeded", name, {})]
        return [_error(name, "Bad event.")]


def _event(event: str, channel: str, data: object) -> str:
    return encoded({"data": data, "channel": channel, "event": event})


def _error(channel: str, text: str) -> str:
    return _event("bts:error", channel, {"code": None, "message": text})


def _book(at_us: int, bids: list[list[str]], asks: list[list[str]]) -> dict[str, Any]:
    return {"timestamp": str(at_us // 1_000_000), "microtimestamp": str(at_us), "bids": bids, "asks": asks}


def _deal(deal: Deal, book: Book, at_us: int) -> dict[str, Any]:
    amount, price = book.instrument.size(deal.lots), book.instrument.price(deal.ticks)
    times = {"timestamp": str(at_us // 1_000_000), "microtimestamp": str(at_us)}
    numbers = {"amount": float(amount), "amount_str": amount, "price": float(price), "price_str": price}
    return {"id": deal.number, **times, **numbers, "type": 0 if deal.buys else 1}


def _listed(text: Instrument) -> dict[str, object]:
    decimals = {"base_decimals": text.size_places, "counter_decimals": text.price_places}
    return {"name": f"{text.base}/{text.quote}", "url_symbol": text.native, **decimals, "trading": "Enabled"}
