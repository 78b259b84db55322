"""Bybit v5 spot as it looks from outside.

Topics: https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook and …/trade
Requests and their answers: https://bybit-exchange.github.io/docs/v5/ws/connect
Listing: https://bybit-exchange.github.io/docs/v5/market/instrument
Differences: a change leaves with every step of the market instead of every 20 to 200 ms, and best prices that stand
still are not sent again after 3 s.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, ClassVar

from tickwire.simulator.dialect import Answer, Broadcast, prices
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import PlainDialect, Session, Sides, answer, decoded, encoded, window
from tickwire.simulator.market import Deal, Quote, Step

DEPTHS = (50, 200, 1000)
_CONNECTION = "d9avsh3fo0jvsls9d82g-5m9jh"


class Dialect(PlainDialect):
    """Bybit's spot."""

    category: ClassVar[str] = "spot"
    most_topics: ClassVar[int | None] = 10  # in one request
    accepted: ClassVar[str] = "subscribe"  # the text of an answer
    wrong: ClassVar[str] = "Invalid symbol :[{}]"

    size_places = 6
    path = "/v5/public/spot"
    spelling = "{}{}"
    names = (("publicTrade.{}", "trade"), ("orderbook.1.{}", "ticker"), ("orderbook.{1}.{0}", "book"))
    too_many: ClassVar[object] = {"retCode": 10006, "retMsg": "Too many visits!", "result": {}}
    unavailable: ClassVar[object] = {"retCode": 10016, "retMsg": "Service unavailable.", "result": {}}
    depths = DEPTHS
    unknown = '{"topic":"simulated.notice","ts":0,"type":"snapshot","data":{"text":"a kind that nobody documented"}}'

    def __init__(self, symbols: int | Sequence[str], rng: Random, refused: frozenset[str] = frozenset()) -> None:
        super().__init__(symbols, rng, refused)
        self._numbers = {topic: book.update_id // 7 for book, topics in self.of.items() for topic in topics}

    def receive(self, session: Session, text: str, now_us: int) -> list[str]:
        """Answer a request, which is accepted or refused as a whole."""
        request = decoded(text)
        if request is None:
            return [_reply("", "", "Failed to decode incoming data")]
        op, topics, number = str(request.get("op")), request.get("args"), str(request.get("req_id", ""))
        if op == "ping":
            return [_reply(op, number, None, "pong")]
        if op not in {"subscribe", "unsubscribe"} or not isinstance(topics, list):
            return [_reply("", number, "error:invalid op")]
        names = [str(name) for name in topics]
        if op == "unsubscribe":
            session.drop_all(names)
            return [_reply(op, number, None, self.accepted)]
        error = self._refusal(session, names)
        if error is not None:
            return [_reply(op, number, error)]
        for name in names:
            session.carry(self.all[name])
        first = [text for name in names for text in self._first(self.all[name], now_us)]
        return [_reply(op, number, None, self.accepted), *first]

    def _refusal(self, session: Session, names: Sequence[str]) -> str | None:
        if self.most_topics is not None and len(names) > self.most_topics:
            return f"args size >{self.most_topics}"
        unknown = next((name for name in names if name not in self.all), None)
        if unknown is not None:
            return self.wrong.format(unknown)
        twice = next((name for name in names if name in session.carried), None)
        return None if twice is None else f"error:already subscribed,topic:{twice}"

    def _first(self, topic: Broadcast, now_us: int) -> list[str]:
        """The first message of a subscription to a book, under the number of the last change."""
        if topic.kind == "trade":
            return []
        bids, asks = (list(side.items()) for side in window(topic.book, topic.depth or 1))
        return [self._text(topic, "snapshot", (bids, asks), now_us)]

    def _trades(self, channel: Broadcast, deals: Sequence[Deal], now_us: int) -> list[str]:
        return [_executions(channel, deals, now_us)]

    def _best(self, channel: Broadcast, quote: Quote, now_us: int) -> str:
        levels = [(quote.bid, quote.bid_lots)], [(quote.ask, quote.ask_lots)]
        return self._next(channel, "snapshot", levels, now_us)

    def _change(self, channel: Broadcast, step: Step, levels: Sides, now_us: int) -> str | None:  # noqa: ARG002 - it has numbers of its own
        return self._next(channel, "delta", levels, now_us) if any(levels) else None

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:  # noqa: ARG002 - part of the protocol
        """``/v5/market/instruments-info``, in one page."""
        if path != "/v5/market/instruments-info":
            return Answer(404, "", {})
        if query.get("category") != self.category:
            return _answer(10001, "Illegal category", {}, now_us)
        listed = [self._listed(book.instrument) for book in self.market.books]
        return _answer(0, "OK", {"category": self.category, "list": listed, "nextPageCursor": ""}, now_us)

    def _next(self, topic: Broadcast, kind: str, levels: Sides, now_us: int) -> str:
        self._numbers[topic] += 1
        return self._text(topic, kind, levels, now_us)

    def _text(self, topic: Broadcast, kind: str, levels: Sides, now_us: int) -> str:
        instrument, ms = topic.book.instrument, now_us // 1000
        bids, asks = (prices(side, instrument) for side in levels)
        data = {"s": instrument.native, "b": bids, "a": asks, "u": self._numbers[topic], "seq": topic.book.update_id}
        return encoded({"topic": topic.name, "ts": ms, "type": kind, "data": data, "cts": ms})

    def _listed(self, instrument: Instrument) -> dict[str, object]:
        return {
            "symbol": instrument.native,
            "baseCoin": instrument.base,
            "quoteCoin": instrument.quote,
            "status": "Trading",
            "priceFilter": {"tickSize": instrument.price(1)},
            "lotSizeFilter": {"basePrecision": instrument.size(1)},
            **self.of_listing(instrument),
        }

    def of_listing(self, instrument: Instrument) -> dict[str, object]:  # noqa: ARG002 - for contracts
        """What a listing says besides, in this category."""
        return {"innovation": "0", "marginTrading": "both"}


def _executions(topic: Broadcast, deals: Sequence[Deal], now_us: int) -> str:
    instrument, ms = topic.book.instrument, now_us // 1000
    data = [
        {
            "i": f"2290000{deal.number:012}",
            "T": ms,
            "p": instrument.price(deal.ticks),
            "v": instrument.size(deal.lots),
            "S": "Buy" if deal.buys else "Sell",
            "s": instrument.native,
            "BT": False,
        }
        for deal in deals
    ]
    return encoded({"topic": topic.name, "ts": ms, "type": "snapshot", "data": data})


def _reply(op: str, number: str, error: str | None, text: str = "") -> str:
    said = {"success": error is None, "ret_msg": error or text, "conn_id": _CONNECTION, "req_id": number}
    return encoded(said | ({"op": op} if op else {}))


def _answer(code: int, text: str, result: dict[str, Any], now_us: int) -> Answer:
    return answer({"retCode": code, "retMsg": text, "result": result, "retExtInfo": {}, "time": now_us // 1000})
