"""Bitget spot v2 as it looks from outside.

Connections, requests, ping: https://www.bitget.com/api-doc/common/websocket-intro
Order book: https://www.bitget.com/api-doc/spot/websocket/public/Depth-Channel
Differences: a message of ``books`` leaves with every step of the market, not every 200 ms, and none while it rests; a
connection that says nothing stays.
"""

from collections.abc import Mapping, Sequence

import msgspec

from tickwire.simulator.dialect import Answer, Broadcast, Conversation, Message, prices
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import PlainDialect, Session, answer, encoded, refusal
from tickwire.simulator.market import Book, Deal

_LISTING_PATH = "/api/v2/spot/public/symbols"


class Dialect(PlainDialect):
    """Bitget's spot."""

    size_places = 6
    numbered = True
    names = (("books1 {}", "ticker"), ("books {}", "book"), ("trade {}", "trade"))
    unknown = '{"event":"simulated-notice","code":"0","msg":"a kind of message that nobody documented"}'
    messages_per_second = 10

    def native(self, base: str, quote: str) -> str:
        """``BTCUSDT``."""
        return base + quote

    def open(self, path: str, query: Mapping[str, str]) -> Conversation | None:  # noqa: ARG002 - part of the protocol
        """``/v2/ws/public``; None elsewhere."""
        return _Session(self) if path == "/v2/ws/public" else None

    def advance(self, book: Book, now_us: int) -> list[Message]:
        """Move *book*: trades, a books1 for every new best, and the change with the number of the one before."""
        step = self.market.step(book)
        best, books, trades = self.of[book]
        messages: list[Message] = []
        if trades.subscribers and step.deals:
            deals = [_trade(book, deal, now_us) for deal in reversed(step.deals)]
            messages.append(Message(trades, _data(trades, "update", deals, now_us), False))
        for quote in step.quotes if best.subscribers else ():
            one = _sides([(quote.ask, quote.ask_lots)], [(quote.bid, quote.bid_lots)], book, quote.update_id, now_us)
            messages.append(Message(best, _data(best, "snapshot", [one], now_us), False))
        if books.subscribers:
            asks, bids = ([(abs(key), lots) for key, lots in side.items()] for side in (step.asks, step.bids))
            change = _sides(asks, bids, book, step.last, now_us) | {"pseq": step.first - 1}
            messages.append(Message(books, _data(books, "update", [change], now_us), True))
        return messages

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:  # noqa: ARG002 - part of the protocol
        """``/api/v2/spot/public/symbols``."""
        if path != _LISTING_PATH:
            return Answer(404, '{"code":"40404","msg":"Request URL NOT FOUND"}', {})
        listed = [_listed(book.instrument) for book in self.market.books]
        said = {"code": "00000", "msg": "success", "requestTime": now_us // 1000, "data": listed}
        return answer(said)

    def refuse(self, status: int) -> Answer:
        """A refusal as the exchange words it."""
        return refusal(status, {"code": "429", "msg": "Too Many Requests"})


class _Session(Session[Dialect]):
    def receive(self, text: str, now_us: int) -> list[str]:
        if text == "ping":
            return ["pong"]
        try:
            request = msgspec.json.decode(text)
            method, asked = request["op"], [(arg["channel"], arg["instId"]) for arg in request["args"]]
        except (msgspec.DecodeError, TypeError, KeyError):
            return [_event("error", code=30016, msg="Param error")]
        if method not in {"subscribe", "unsubscribe"}:
            return [_event("error", code=30003, msg="Invalid op")]
        answer = self._subscribe if method == "subscribe" else self._unsubscribe
        return [line for name, native in asked for line in answer(name, native, now_us)]

    def _subscribe(self, name: str, native: str, now_us: int) -> list[str]:
        channel, arg = self.exchange.all.get(f"{name} {native}"), _arg(name, native)
        if channel is None:
            said = f"instType:SPOT,channel:{name},instId:{native} doesn't exist"
            return [_event("error", arg=arg, code=30001, msg=said)]
        self.carry(channel)
        return [_event("subscribe", arg=arg), _first(channel, now_us)]

    def _unsubscribe(self, name: str, native: str, now_us: int) -> list[str]:  # noqa: ARG002 - as above
        self.drop(f"{name} {native}")
        return [_event("unsubscribe", arg=_arg(name, native))]


def _first(channel: Broadcast, now_us: int) -> str:
    """What comes right after the answer: the book, or trades from before."""
    book = channel.book
    if channel.kind == "trade":
        return _data(channel, "snapshot", [_trade(book, deal, now_us) for deal in reversed(book.deals)], now_us)
    depth = 1 if channel.kind == "ticker" else len(book.asks.keys) + len(book.bids.keys)
    whole = _sides(book.asks.top(depth), book.bids.top(depth), book, book.update_id, now_us)
    return _data(channel, "snapshot", [whole | {"pseq": 0}], now_us)


def _event(event: str, **fields: object) -> str:
    return encoded({"event": event, **fields})


def _arg(name: str, native: str) -> dict[str, str]:
    return {"instType": "SPOT", "channel": name, "instId": native}


def _data(channel: Broadcast, action: str, data: list[dict[str, object]], now_us: int) -> str:
    arg = _arg(*channel.name.split())
    return encoded({"action": action, "arg": arg, "data": data, "ts": now_us // 1000})


def _sides(
    asks: Sequence[tuple[int, int]], bids: Sequence[tuple[int, int]], book: Book, number: int, now_us: int
) -> dict[str, object]:
    """A removal is a plain 0."""
    sides = ([[p, s if s.strip("0.") else "0"] for p, s in prices(side, book.instrument)] for side in (asks, bids))
    return dict(zip(("asks", "bids"), sides, strict=True)) | {"seq": number, "ts": str(now_us // 1000)}


def _trade(book: Book, deal: Deal, now_us: int) -> dict[str, object]:
    numbers = {"price": book.instrument.price(deal.ticks), "size": book.instrument.size(deal.lots)}
    side = "buy" if deal.buys else "sell"
    return {"ts": str(now_us // 1000), **numbers, "side": side, "tradeId": str(deal.number)}


def _listed(instrument: Instrument) -> dict[str, object]:
    names = {"symbol": instrument.native, "baseCoin": instrument.base, "quoteCoin": instrument.quote}
    places = {"pricePrecision": str(instrument.price_places), "quantityPrecision": str(instrument.size_places)}
    return {**names, **places, "status": "online"}
