"""Bitstamp as it looks from outside.

Channels: https://www.bitstamp.net/websocket/v2/
Order book by REST, listing: https://www.bitstamp.net/api/
Differences: changes leave with every step of the market, each with a later time than the one before; the books never
cross; an error names its channel.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, ClassVar

import msgspec

from tickwire.simulator.dialect import Answer, Broadcast, Message, prices
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import PlainDialect, Session, Sides, answer, encoded
from tickwire.simulator.market import Book, Deal, Step


class Dialect(PlainDialect):
    """Bitstamp's spot."""

    quote = "USD"
    losable = False
    names = (("live_trades_{}", "trade"), ("diff_order_book_{}", "book"))
    snapshot_path = "/api/v2/order_book/"
    faults = frozenset({"stale"})
    too_many: ClassVar[object] = {"status": "error", "reason": "Request refused"}
    unknown = '{"event":"bts:simulated_notice","channel":"","data":"a kind of message that nobody documented"}'

    def __init__(self, symbols: int | Sequence[str], rng: Random, refused: frozenset[str] = frozenset()) -> None:
        super().__init__(symbols, rng, refused)
        self._times: dict[Book, int] = {}  # of each book's last change

    def native(self, base: str, quote: str) -> str:
        """``btcusd``."""
        return f"{base}{quote}".lower()

    def receive(self, session: Session, text: str, now_us: int) -> list[str]:  # noqa: ARG002 - no answer has a time
        """Answer a request about one channel, or a heartbeat."""
        try:
            request = msgspec.json.decode(text)
            event, name = request["event"], str((request.get("data") or {}).get("channel", ""))
        except (msgspec.DecodeError, TypeError, KeyError, AttributeError):
            return [_error("", "Incorrect JSON format.")]
        if event == "bts:heartbeat":
            return [_event(event, "", {"status": "success"})]
        channel = self.all.get(name)
        if channel is None:
            return [_error(name, "Bad subscription string.")]
        if event == "bts:subscribe":
            session.carry(channel)
            return [_event("bts:subscription_succeeded", name, {})]
        if event == "bts:unsubscribe":
            session.drop(name)
            return [_event("bts:unsubscription_succeeded", name, {})]
        return [_error(name, "Bad event.")]

    def advance(self, book: Book, now_us: int) -> list[Message]:
        """Move *book*, at a later time than before."""
        at_us = self._times[book] = max(now_us, self._times.get(book, 0) + 1)
        return super().advance(book, at_us)

    def _trades(self, channel: Broadcast, deals: Sequence[Deal], now_us: int) -> list[str]:
        return [_event("trade", channel.name, _deal(deal, channel.book, now_us)) for deal in deals]

    def _change(self, channel: Broadcast, step: Step, levels: Sides, now_us: int) -> str | None:  # noqa: ARG002 - it has no numbers
        bids, asks = (prices(side, channel.book.instrument) for side in levels)
        return _event("data", channel.name, _book(now_us, bids, asks)) if bids or asks else None

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
