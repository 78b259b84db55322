"""Hyperliquid as it looks from outside, its own contracts.

Channels, answers: https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions
Differences: the whole book leaves with every step of the market, not every half second; a best price with every change.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tickwire.simulator.dialect import Answer, Broadcast
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import PlainDialect, Session, Sides, answer, decoded, encoded
from tickwire.simulator.market import Book, Deal, Quote, Step

_DEPTH = 20


class Dialect(PlainDialect):
    """Hyperliquid's contracts."""

    quote = "USDC"
    size_places = 5
    suffix = "-PERP"
    path = "/ws"
    spelling = "{}"
    names = (("trades {}", "trade"), ("bbo {}", "ticker"), ("l2Book {}", "book"))
    unknown = '{"channel":"simulatedNotice","data":{"text":"a kind of message that nobody documented"}}'

    def receive(self, session: Session, text: str, now_us: int) -> list[str]:
        """Answer a request about one channel of one contract, or a ping."""
        request = decoded(text) or {}
        method, asked = request.get("method"), request.get("subscription")
        if method == "ping":
            return ['{"channel":"pong"}']
        if method not in {"subscribe", "unsubscribe"} or not isinstance(asked, dict):
            return [_said("error", f"Error parsing JSON into valid websocket request: {text}")]
        name = f"{asked.get('type')} {asked.get('coin')}"
        channel = self.all.get(name)
        if channel is None:
            return [_said("error", f"Invalid subscription {encoded(asked)}")]
        if (name in session.carried) == (method == "subscribe"):
            return [_said("error", f"Already {method}d: {encoded(asked)}")]
        if method == "unsubscribe":
            session.drop(name)
            return [_answer(method, asked)]
        session.carry(channel)
        return [_answer(method, asked), *_first(channel, now_us)]

    def _trades(self, channel: Broadcast, deals: Sequence[Deal], now_us: int) -> list[str]:
        return [_executions(channel.book, deals, now_us)]

    def _best(self, channel: Broadcast, quote: Quote, now_us: int) -> str:
        return _best_now(channel.book, quote, now_us)

    def _change(self, channel: Broadcast, step: Step, levels: Sides, now_us: int) -> str:  # noqa: ARG002 - it tells all levels
        return _book(channel.book, now_us)

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:  # noqa: ARG002 - part of the protocol
        """``/info``: the contracts, no spot pair, no builder."""
        listed = [{"name": native, "szDecimals": self.size_places, "maxLeverage": 40} for native in self.books]
        answers: dict[str, object] = {
            "meta": {"universe": listed, "collateralToken": 0},
            "spotMeta": {"tokens": [{"name": self.quote, "index": 0}], "universe": []},
            "perpDexs": [None],
        }
        asked = answers.get(query.get("type", "")) if path == "/info" else None
        if asked is None:
            return Answer(422, '"Failed to deserialize the JSON body into the target type"', {})
        return answer(asked)


def _first(channel: Broadcast, now_us: int) -> list[str]:
    """What a new subscriber is told at once: what is true now, or what was traded before."""
    book = channel.book
    if channel.kind == "ticker":
        return [_best_now(book, book.best(), now_us)]
    if channel.kind == "book":
        return [_book(book, now_us)]
    return [_executions(book, book.deals, now_us)] if book.deals else []


def _said(channel: str, data: object) -> str:
    return encoded({"channel": channel, "data": data})


def _answer(method: str, asked: dict[str, Any]) -> str:
    more = {"nSigFigs": None, "mantissa": None} if asked["type"] == "l2Book" else {}
    return _said("subscriptionResponse", {"method": method, "subscription": asked | more})


def _level(ticks: int, lots: int, instrument: Instrument) -> dict[str, object]:
    return {"px": instrument.price(ticks), "sz": instrument.size(lots), "n": 1}


def _book(book: Book, now_us: int) -> str:
    sides = [[_level(*level, book.instrument) for level in side.top(_DEPTH)] for side in (book.bids, book.asks)]
    return _said("l2Book", {"coin": book.instrument.native, "time": now_us // 1000, "levels": sides})


def _best_now(book: Book, quote: Quote, now_us: int) -> str:
    sides = ((quote.bid, quote.bid_lots), (quote.ask, quote.ask_lots))
    levels = [_level(*side, book.instrument) for side in sides]
    return _said("bbo", {"coin": book.instrument.native, "time": now_us // 1000, "bbo": levels})


def _executions(book: Book, deals: Iterable[Deal], now_us: int) -> str:
    text, at = book.instrument, {"coin": book.instrument.native, "time": now_us // 1000, "hash": "0x0"}
    return _said(
        "trades",
        [
            {**at, "side": "B" if d.buys else "A", "px": text.price(d.ticks), "sz": text.size(d.lots), "tid": d.number}
            for d in deals
        ],
    )
