"""KuCoin spot as it looks from outside, the push socket that needs no token.

Connection: https://www.kucoin.com/docs-new/websocket-api/base-info/introduction-uta
Order book: https://www.kucoin.com/docs-new/3470354w0
Differences: text frames instead of binary ones; an order book event leaves with every step of the market instead of
every 10 ms; no book has as many as 500 levels.
"""

from collections.abc import Mapping
from typing import Any

from tickwire.simulator.dialect import Answer, Conversation, Message, prices
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import PlainDialect, Session, answer, decoded, encoded, refusal
from tickwire.simulator.market import Book

_CHANNELS = ("ticker", "obu", "trade")
_DEPTH = "increment@10ms"
_NO_LEVEL = [["0", "0"]]  # what an event says that only moves the number on
_WELCOME = '{"sessionId":"simulated","message":"welcome","pingInterval":18000,"pingTimeout":10000}'


class Dialect(PlainDialect):
    """KuCoin's spot."""

    numbered = True
    names = (("ticker {}", "ticker"), ("obu {}", "book"), ("trade {}", "trade"))
    messages_per_second = 30
    unknown = '{"T":"simulated.SPOT","P":1,"d":{"text":"a kind of message that nobody documented"}}'

    def open(self, path: str, query: Mapping[str, str]) -> Conversation | None:  # noqa: ARG002 - part of the protocol
        """The root; None elsewhere."""
        return _Session(self) if path == "/" else None

    def advance(self, book: Book, now_us: int) -> list[Message]:
        """Move *book*: a trade a deal, a ticker a new best, then one event over all update ids of the step."""
        instrument, name = book.instrument, book.instrument.native
        price, size = instrument.price, instrument.size
        ticker, books, trades = self.of[book]
        step, messages = self.market.step(book), list[Message]()
        for deal in step.deals if trades.subscribers else ():
            said: dict[str, Any] = {"E": deal.number, "M": now_us * 1000, "S": "buy" if deal.buys else "sell"}
            said |= {"p": price(deal.ticks), "q": size(deal.lots), "s": name, "ti": str(deal.number)}
            messages.append(Message(trades, _pushed("trade", said, now_us), False))
        for quote in step.quotes if ticker.subscribers else ():
            said = {"E": quote.update_id, "M": now_us * 1000, "s": name, "l": price(instrument.opening_ticks)}
            said |= {"b": price(quote.bid), "B": size(quote.bid_lots), "a": price(quote.ask), "A": size(quote.ask_lots)}
            messages.append(Message(ticker, _pushed("ticker", said, now_us), False))
        if books.subscribers:
            said = {"O": step.first, "C": step.last, "M": now_us * 1000, "s": name}
            for side, changed in (("a", step.asks), ("b", step.bids)):
                levels = [[price(abs(key)), size(lots) if lots else "0"] for key, lots in changed.items()]
                said[side] = levels or _NO_LEVEL
            messages.append(Message(books, _pushed("obu", said, now_us, "delta"), True))
        return messages

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:  # noqa: ARG002 - part of the protocol
        """``/api/v1/symbols``."""
        if path != "/api/v1/symbols":
            return Answer(404, '{"code":"404000","msg":"Not Found"}', {})
        return answer({"code": "200000", "data": [_listed(book.instrument) for book in self.market.books]})

    def refuse(self, status: int) -> Answer:
        """A refusal as KuCoin words it."""
        return refusal(status, {"code": "429000", "msg": "too many requests"})


class _Session(Session[Dialect]):
    def start(self, now_us: int) -> list[str]:  # noqa: ARG002 - part of the protocol
        return [_WELCOME]

    def receive(self, text: str, now_us: int) -> list[str]:
        """Answer a request; one that is no JSON gets no answer."""
        request = decoded(text)
        if request is None:
            return []
        number = request.get("id")
        if request.get("type") == "ping":
            return [encoded({"type": "pong", "id": number, "ts": now_us * 1000})]
        return self._asked(request, str(request.get("channel")), str(request.get("symbol")), now_us)

    def _asked(self, request: Mapping[str, Any], channel: str, symbol: str, now_us: int) -> list[str]:
        number, action = request.get("id"), request.get("action")
        right = action in {"SUBSCRIBE", "UNSUBSCRIBE"} and channel in _CHANNELS and request.get("tradeType") == "SPOT"
        if not right or (channel == "obu" and request.get("depth") != _DEPTH):
            return [_answer(number, "message", "invalid request data")]
        if symbol in self.exchange.refused:
            return [_answer(number, "reason", f"symbol {symbol} is not supported")]
        if action == "SUBSCRIBE":
            return [_answer(number), *self._subscribe(f"{channel} {symbol}", now_us)]
        self.drop(f"{channel} {symbol}")
        return [_answer(number)]

    def _subscribe(self, name: str, now_us: int) -> list[str]:
        """A symbol that does not exist is accepted and stays silent; a second time brings no second snapshot."""
        channel = self.exchange.all.get(name)
        if channel is None or name in self.carried:
            return []
        self.carry(channel)
        if channel.kind != "book":
            return []
        book, instrument = channel.book, channel.book.instrument
        bids, asks = (prices(side.top(), instrument) for side in (book.bids, book.asks))
        said = {"O": book.update_id, "C": book.update_id, "M": now_us * 1000, "s": instrument.native}
        return [_pushed("obu", said | {"a": asks, "b": bids}, now_us, "snapshot")]


def _pushed(channel: str, data: dict[str, Any], now_us: int, kind: str | None = None) -> str:
    said: dict[str, Any] = {"T": f"{channel}.SPOT", "P": now_us * 1000}
    if kind is not None:
        said |= {"dp": _DEPTH, "t": kind}
    return encoded(said | {"d": data})


def _answer(number: object, word: str = "", error: str = "") -> str:
    return encoded({"id": number, "result": not error} | ({word: error} if error else {}))


def _listed(instrument: Instrument) -> dict[str, object]:
    names = {"symbol": instrument.canonical, "name": instrument.canonical}
    assets = {"baseCurrency": instrument.base, "quoteCurrency": instrument.quote}
    return {**names, **assets, "enableTrading": True, "priceIncrement": instrument.price(1)}
