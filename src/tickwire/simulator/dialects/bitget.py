"""Bitget spot v2 as it looks from outside.

Connections, requests, ping: https://www.bitget.com/api-doc/common/websocket-intro
Order book: https://www.bitget.com/api-doc/spot/websocket/public/Depth-Channel
Differences: a message of ``books`` leaves with every step of the market, not every 200 ms, and none while it rests; a
connection that says nothing stays.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from tickwire.simulator.dialect import Answer, Broadcast, prices
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import Levels, PlainDialect, Session, Sides, answer, encoded
from tickwire.simulator.market import Book, Deal, Quote, Step


class Dialect(PlainDialect):
    """Bitget's spot."""

    size_places = 6
    numbered = True
    path = "/v2/ws/public"
    spelling = "{}{}"
    names = (("trade {}", "trade"), ("books1 {}", "ticker"), ("books {}", "book"))
    too_many: ClassVar[object] = {"code": "429", "msg": "Too Many Requests"}
    unknown = '{"event":"simulated-notice","code":"0","msg":"a kind of message that nobody documented"}'
    messages_per_second = 10

    def receive(self, session: Session, text: str, now_us: int) -> list[str]:
        """Answer a request about channels of symbols, each on its own, or ``ping``."""
        if text == "ping":
            return ["pong"]
        try:
            request = msgspec.json.decode(text)
            method, asked = request["op"], [(arg["channel"], arg["instId"]) for arg in request["args"]]
        except (msgspec.DecodeError, TypeError, KeyError):
            return [_event("error", code=30016, msg="Param error")]
        if method == "subscribe":
            return [line for name, native in asked for line in self._subscribe(session, name, native, now_us)]
        if method != "unsubscribe":
            return [_event("error", code=30003, msg="Invalid op")]
        session.drop_all(f"{name} {native}" for name, native in asked)
        return [_event("unsubscribe", arg=_arg(name, native)) for name, native in asked]

    def _subscribe(self, session: Session, name: str, native: str, now_us: int) -> list[str]:
        channel, arg = self.all.get(f"{name} {native}"), _arg(name, native)
        if channel is None:
            said = f"instType:SPOT,channel:{name},instId:{native} doesn't exist"
            return [_event("error", arg=arg, code=30001, msg=said)]
        session.carry(channel)
        return [_event("subscribe", arg=arg), _first(channel, now_us)]

    def _trades(self, channel: Broadcast, deals: Sequence[Deal], now_us: int) -> list[str]:
        return [_data(channel, "update", [_trade(channel.book, deal, now_us) for deal in reversed(deals)], now_us)]

    def _best(self, channel: Broadcast, quote: Quote, now_us: int) -> str:
        asks, bids = [(quote.ask, quote.ask_lots)], [(quote.bid, quote.bid_lots)]
        return _data(channel, "snapshot", [_sides(asks, bids, channel.book, quote.update_id, now_us)], now_us)

    def _change(self, channel: Broadcast, step: Step, levels: Sides, now_us: int) -> str:
        bids, asks = levels
        change = _sides(asks, bids, channel.book, step.last, now_us) | {"pseq": step.first - 1}
        return _data(channel, "update", [change], now_us)

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:  # noqa: ARG002 - part of the protocol
        """``/api/v2/spot/public/symbols``."""
        if path != "/api/v2/spot/public/symbols":
            return Answer(404, '{"code":"40404","msg":"Request URL NOT FOUND"}', {})
        listed = [_listed(book.instrument) for book in self.market.books]
        return answer({"code": "00000", "msg": "success", "requestTime": now_us // 1000, "data": listed})


def _first(channel: Broadcast, now_us: int) -> str:
    """What comes right after the answer: the book, or trades from before."""
    book = channel.book
    if channel.kind == "trade":
        return _data(channel, "snapshot", [_trade(book, deal, now_us) for deal in reversed(book.deals)], now_us)
    depth = 1 if channel.kind == "ticker" else None
    whole = _sides(book.asks.top(depth), book.bids.top(depth), book, book.update_id, now_us)
    return _data(channel, "snapshot", [whole | {"pseq": 0}], now_us)


def _event(event: str, **fields: object) -> str:
    return encoded({"event": event, **fields})


def _arg(name: str, native: str) -> dict[str, str]:
    return {"instType": "SPOT", "channel": name, "instId": native}


def _data(channel: Broadcast, action: str, data: list[dict[str, object]], now_us: int) -> str:
    arg = _arg(*channel.name.split())
    return encoded({"action": action, "arg": arg, "data": data, "ts": now_us // 1000})


def _sides(asks: Levels, bids: Levels, book: Book, number: int, now_us: int) -> dict[str, object]:
    """A removal is a plain 0."""
    sides = ([[p, s if s.strip("0.") else "0"] for p, s in prices(side, book.instrument)] for side in (asks, bids))
    return dict(zip(("asks", "bids"), sides, strict=True)) | {"ts": str(now_us // 1000), "seq": number}


def _trade(book: Book, deal: Deal, now_us: int) -> dict[str, object]:
    numbers = {"price": book.instrument.price(deal.ticks), "size": book.instrument.size(deal.lots)}
    side = "buy" if deal.buys else "sell"
    return {"ts": str(now_us // 1000), **numbers, "side": side, "tradeId": str(deal.number)}


def _listed(instrument: Instrument) -> dict[str, object]:
    names = {"symbol": instrument.native, "baseCoin": instrument.base, "quoteCoin": instrument.quote}
    places = {"pricePrecision": str(instrument.price_places), "quantityPrecision": str(instrument.size_places)}
    return {**names, **places, "status": "online"}
