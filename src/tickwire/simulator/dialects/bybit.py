"""Bybit v5 spot as it looks from outside.

Topics: https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook and …/trade
Requests and their answers: https://bybit-exchange.github.io/docs/v5/ws/connect
Listing: https://bybit-exchange.github.io/docs/v5/market/instrument
Differences: a change leaves with every step of the market instead of every 20 to 200 ms, and best prices that stand
still are not sent again after 3 s.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from random import Random
from typing import Any, ClassVar

import msgspec

from tickwire.simulator.dialect import Answer, Broadcast, Conversation, Message, prices
from tickwire.simulator.instruments import Instrument, choose_names, scale
from tickwire.simulator.market import Book, Market, Step

DEPTHS = (50, 200, 1000)
_SIZE_PLACES = 6
_CONNECTION = "d9avsh3fo0jvsls9d82g-5m9jh"


class Dialect:
    """The dialect over a market of *symbols*; subscriptions to a symbol of *refused* (``BTC-USDT``) are errors."""

    category: ClassVar[str] = "spot"
    suffix: ClassVar[str] = ""
    most_topics: ClassVar[int | None] = 10  # in one request
    accepted: ClassVar[str] = "subscribe"  # the text of an answer
    wrong: ClassVar[str] = "Invalid symbol :[{}]"

    quote = "USDT"
    numbered = False
    heartbeat: str | None = None
    unknown = '{"topic":"simulated.notice","ts":0,"type":"snapshot","data":{"text":"a kind that nobody documented"}}'
    ping_interval_s: float | None = None
    messages_per_second: int | None = None
    snapshot_path: str | None = None
    faults: frozenset[str] = frozenset()

    def __init__(self, symbols: int | Sequence[str], rng: Random, refused: frozenset[str] = frozenset()) -> None:
        names = choose_names(symbols, self.quote, self.suffix)
        self.market = Market([_instrument(*name, self.suffix) for name in names], rng)
        self.topics: dict[str, _Topic] = {}
        self._by_book: dict[Book, tuple[_Topic, _Topic, list[_Topic]]] = {}
        for book in self.market.books:
            native = _native(book.instrument)
            best, trades = _Topic(f"orderbook.1.{native}", book, 1), _Topic(f"publicTrade.{native}", book)
            depths = [_Topic(f"orderbook.{depth}.{native}", book, depth) for depth in DEPTHS]
            self._by_book[book] = best, trades, depths
            if book.instrument.canonical not in refused:
                self.topics |= {topic.name: topic for topic in (best, trades, *depths)}

    def open(self, path: str, query: Mapping[str, str]) -> Conversation | None:  # noqa: ARG002 - part of the protocol
        """The address of the category; None elsewhere."""
        return _Session(self) if path == f"/v5/public/{self.category}" else None

    def advance(self, book: Book, now_us: int) -> list[Message]:
        """Move *book*: its trades, a snapshot a new best, then a change a subscribed depth, if its levels changed."""
        best, trades, depths = self._by_book[book]
        heard = [(topic, topic.levels()) for topic in depths if topic.subscribers]
        step = self.market.step(book)
        messages: list[Message] = []
        if trades.subscribers and step.deals:
            messages.append(Message(trades, _trades(trades, step, now_us), losable=False))
        if best.subscribers:
            for quote in step.quotes:
                bid, ask = [(quote.bid, quote.bid_lots)], [(quote.ask, quote.ask_lots)]
                messages.append(Message(best, best.text("snapshot", bid, ask, now_us), losable=False))
        for topic, before in heard:
            bids, asks = (_changes(*sides) for sides in zip(before, topic.levels(), strict=True))
            if bids or asks:
                messages.append(Message(topic, topic.text("delta", bids, asks, now_us), losable=True))
        return messages

    def channels(self) -> Iterable[Broadcast]:
        """Every topic that can be subscribed."""
        return self.topics.values()

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:  # noqa: ARG002 - part of the protocol
        """``/v5/market/instruments-info``, in one page."""
        if path != "/v5/market/instruments-info":
            return Answer(404, "", {})
        if query.get("category") != self.category:
            return _answer(10001, "Illegal category", {}, now_us)
        listed = [self._listed(book.instrument) for book in self.market.books]
        return _answer(0, "OK", {"category": self.category, "list": listed, "nextPageCursor": ""}, now_us)

    def refuse(self, status: int) -> Answer:
        """A refusal as Bybit words it."""
        text = "Service unavailable." if status == 503 else "Too many visits!"
        body = msgspec.json.encode({"retCode": 10016 if status == 503 else 10006, "retMsg": text, "result": {}})
        return Answer(status, body.decode(), {"Retry-After": "1"})

    def spoil(self, text: str) -> str:
        """Bybit has no checksum. Never called."""
        raise NotImplementedError(text)

    def _listed(self, instrument: Instrument) -> dict[str, object]:
        return {
            "symbol": _native(instrument),
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


class _Topic(Broadcast):
    """A topic; the messages of a book are numbered one by one."""

    __slots__ = ("depth", "number")

    def __init__(self, name: str, book: Book, depth: int | None = None) -> None:
        super().__init__("trade" if depth is None else "ticker" if depth == 1 else "book", name, book)
        self.depth, self.number = depth, book.update_id // 7

    def levels(self) -> tuple[dict[int, int], dict[int, int]]:
        """The levels within the depth, bids and asks, as lots by ticks."""
        return dict(self.book.bids.top(self.depth or 0)), dict(self.book.asks.top(self.depth or 0))

    def text(self, kind: str, bids: Sequence[tuple[int, int]], asks: Sequence[tuple[int, int]], now_us: int) -> str:
        """A change or the levels after it, under the next number."""
        self.number += 1
        return self._text(kind, bids, asks, now_us)

    def snapshot(self, now_us: int) -> str | None:
        """The first message of a subscription to a book, under the number of the last change."""
        if self.depth is None:
            return None
        bids, asks = self.levels()
        return self._text("snapshot", list(bids.items()), list(asks.items()), now_us)

    def _text(self, kind: str, bids: Sequence[tuple[int, int]], asks: Sequence[tuple[int, int]], now_us: int) -> str:
        instrument, ms = self.book.instrument, now_us // 1000
        data: dict[str, Any] = {"s": _native(instrument), "b": prices(bids, instrument), "a": prices(asks, instrument)}
        data |= {"u": self.number, "seq": self.book.update_id}
        message = {"topic": self.name, "ts": ms, "type": kind, "data": data, "cts": ms}
        return msgspec.json.encode(message).decode()


class _Session:
    """One connection: its topics."""

    def __init__(self, exchange: Dialect) -> None:
        self._exchange = exchange
        self._carried: dict[str, _Topic] = {}

    def start(self, now_us: int) -> list[str]:  # noqa: ARG002 - part of the protocol
        return []

    def receive(self, text: str, now_us: int) -> list[str]:
        try:
            request = msgspec.json.decode(text)
        except msgspec.DecodeError:
            request = None
        if not isinstance(request, dict):
            return [_reply("", "", "Failed to decode incoming data")]
        op, topics, number = str(request.get("op")), request.get("args"), str(request.get("req_id", ""))
        if op == "ping":
            return [_reply(op, number, None, "pong")]
        if op not in {"subscribe", "unsubscribe"} or not isinstance(topics, list):
            return [_reply("", number, "error:invalid op")]
        names = [str(name) for name in topics]
        error = self._wrong(names) if op == "subscribe" else None
        if error is not None:
            return [_reply(op, number, error)]
        first = self._subscribe(names, now_us) if op == "subscribe" else self._unsubscribe(names)
        return [_reply(op, number, None, self._exchange.accepted), *first]

    def close(self) -> None:
        self._unsubscribe(list(self._carried))

    def _wrong(self, names: Sequence[str]) -> str | None:
        """Why a request is refused, as a whole, if it is."""
        most = self._exchange.most_topics
        if most is not None and len(names) > most:
            return f"args size >{most}"
        unknown = next((name for name in names if name not in self._exchange.topics), None)
        if unknown is not None:
            return self._exchange.wrong.format(unknown)
        twice = next((name for name in names if name in self._carried), None)
        return None if twice is None else f"error:already subscribed,topic:{twice}"

    def _subscribe(self, names: Iterable[str], now_us: int) -> list[str]:
        for name in names:
            topic = self._carried[name] = self._exchange.topics[name]
            topic.subscribers[self] = None
        return [text for name in names if (text := self._exchange.topics[name].snapshot(now_us)) is not None]

    def _unsubscribe(self, names: Iterable[str]) -> list[str]:
        for name in names:
            topic = self._carried.pop(name, None)
            if topic is not None:
                topic.subscribers.pop(self, None)
        return []


def _changes(before: Mapping[int, int], after: Mapping[int, int]) -> list[tuple[int, int]]:
    """New and changed levels, and those that left the depth, of whose size 0 says so."""
    gone = ((ticks, 0) for ticks in before if ticks not in after)
    return list(chain(((ticks, lots) for ticks, lots in after.items() if before.get(ticks) != lots), gone))


def _trades(topic: _Topic, step: Step, now_us: int) -> str:
    instrument, ms = topic.book.instrument, now_us // 1000
    symbol = _native(instrument)
    data = [
        {
            "i": f"2290000{deal.number:012}",
            "T": ms,
            "p": instrument.price(deal.ticks),
            "v": instrument.size(deal.lots),
            "S": "Buy" if deal.buys else "Sell",
            "s": symbol,
            "BT": False,
        }
        for deal in step.deals
    ]
    return msgspec.json.encode({"topic": topic.name, "ts": ms, "type": "snapshot", "data": data}).decode()


def _reply(op: str, number: str, error: str | None, text: str = "") -> str:
    said = {"success": error is None, "ret_msg": error or text, "conn_id": _CONNECTION, "req_id": number}
    return msgspec.json.encode(said | ({"op": op} if op else {})).decode()


def _answer(code: int, text: str, result: dict[str, Any], now_us: int) -> Answer:
    content = {"retCode": code, "retMsg": text, "result": result, "retExtInfo": {}, "time": now_us // 1000}
    return Answer(200, msgspec.json.encode(content).decode(), {})


def _instrument(base: str, quote: str, suffix: str) -> Instrument:
    places, ticks = scale(base)
    return Instrument(base, quote, places, _SIZE_PLACES, ticks, suffix=suffix)


def _native(instrument: Instrument) -> str:
    return instrument.base + instrument.quote
