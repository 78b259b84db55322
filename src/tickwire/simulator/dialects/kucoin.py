"""KuCoin spot as it looks from outside, the push socket that needs no token.

Connection: https://www.kucoin.com/docs-new/websocket-api/base-info/introduction-uta
Order book: https://www.kucoin.com/docs-new/3470354w0
Differences: text frames instead of binary ones; an order book event leaves with every step of the market instead of
every 10 ms; no book has as many as 500 levels.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tickwire.simulator.dialect import Broadcast, prices
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import Levels, PlainDialect, Session, Sides, decoded, encoded
from tickwire.simulator.market import Deal, Quote, Step

_CHANNELS = ("ticker", "obu", "trade")
_DEPTH = "increment@10ms"
_NO_LEVEL = [["0", "0"]]  # what an event says that only moves the number on


class Dialect(PlainDialect):
    """KuCoin's spot."""

    numbered = True
    names = (("trade {}", "trade"), ("ticker {}", "ticker"), ("obu {}", "book"))
    welcome = ('{"sessionId":"simulated","message":"welcome","pingInterval":18000,"pingTimeout":10000}',)
    listing_path = "/api/v1/symbols"
    not_found = '{"code":"404000","msg":"Not Found"}'
    messages_per_second = 30
    too_many: ClassVar[object] = {"code": "429000", "msg": "too many requests"}
    unknown = '{"T":"simulated.SPOT","P":1,"d":{"text":"a kind of message that nobody documented"}}'

    def receive(self, session: Session, text: str, now_us: int) -> list[str]:
        """Answer a request; one that is no JSON gets no answer."""
        request = decoded(text)
        if request is None:
            return []
        number = request.get("id")
        if request.get("type") == "ping":
            return [encoded({"type": "pong", "id": number, "ts": now_us * 1000})]
        return self._asked(session, request, str(request.get("channel")), str(request.get("symbol")), now_us)

    def _asked(self, session: Session, request: Mapping[str, Any], channel: str, symbol: str, now_us: int) -> list[str]:
        number, action = request.get("id"), request.get("action")
        right = action in {"SUBSCRIBE", "UNSUBSCRIBE"} and channel in _CHANNELS and request.get("tradeType") == "SPOT"
        if not right or (channel == "obu" and request.get("depth") != _DEPTH):
            return [_answer(number, "message", "invalid request data")]
        if symbol in self.refused:
            return [_answer(number, "reason", f"symbol {symbol} is not supported")]
        if action == "SUBSCRIBE":
            return [_answer(number), *self._subscribe(session, f"{channel} {symbol}", now_us)]
        session.drop(f"{channel} {symbol}")
        return [_answer(number)]

    def _subscribe(self, session: Session, name: str, now_us: int) -> list[str]:
        """A symbol that does not exist is accepted and stays silent; a second time brings no second snapshot."""
        channel = self.all.get(name)
        if channel is None or name in session.carried:
            return []
        session.carry(channel)
        if channel.kind != "book":
            return []
        book, instrument = channel.book, channel.book.instrument
        bids, asks = (prices(side.top(), instrument) for side in (book.bids, book.asks))
        said = {
            "C": book.update_id,
            "M": now_us * 1000,
            "O": book.update_id,
            "a": asks,
            "b": bids,
            "s": instrument.native,
        }
        return [_pushed("obu", said, now_us, "snapshot")]

    def _trades(self, channel: Broadcast, deals: Sequence[Deal], now_us: int) -> list[str]:
        text = channel.book.instrument
        said: list[dict[str, Any]] = [
            {"E": deal.number, "M": now_us * 1000, "S": "buy" if deal.buys else "sell"}
            | {"p": text.price(deal.ticks), "q": text.size(deal.lots), "s": text.native, "ti": str(deal.number)}
            for deal in deals
        ]
        return [_pushed("trade", one, now_us) for one in said]

    def _best(self, channel: Broadcast, quote: Quote, now_us: int) -> str:
        text = channel.book.instrument
        said: dict[str, Any] = {"E": quote.update_id, "M": now_us * 1000, "s": text.native}
        bid = {"b": text.price(quote.bid), "B": text.size(quote.bid_lots)}
        ask = {"a": text.price(quote.ask), "A": text.size(quote.ask_lots)}
        return _pushed("ticker", said | {"l": text.price(text.opening_ticks)} | bid | ask, now_us)

    def _change(self, channel: Broadcast, step: Step, levels: Sides, now_us: int) -> str:
        text = channel.book.instrument
        bids, asks = (_levels(side, text) or _NO_LEVEL for side in levels)
        said = {"C": step.last, "M": now_us * 1000, "O": step.first, "a": asks, "b": bids, "s": text.native}
        return _pushed("obu", said, now_us, "delta")

    def _listing(self, listed: Sequence[object]) -> object:
        return {"code": "200000", "data": listed}

    def _listed(self, instrument: Instrument) -> dict[str, object]:
        names = {"symbol": instrument.canonical, "name": instrument.canonical}
        assets = {"baseCurrency": instrument.base, "quoteCurrency": instrument.quote}
        return {**names, **assets, "enableTrading": True, "priceIncrement": instrument.price(1)}


def _levels(levels: Levels, text: Instrument) -> list[list[str]]:
    return [[text.price(ticks), text.size(lots) if lots else "0"] for ticks, lots in levels]


def _pushed(channel: str, data: dict[str, Any], now_us: int, kind: str | None = None) -> str:
    of_book = {} if kind is None else {"dp": _DEPTH, "t": kind}
    return encoded({"T": f"{channel}.SPOT", **of_book, "P": now_us * 1000, "d": data})


def _answer(number: object, word: str = "", error: str = "") -> str:
    return encoded({"id": number, "result": not error} | ({word: error} if error else {}))
