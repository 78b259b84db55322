"""Crypto.com Exchange v1 as it looks from outside, its spot.

Channels, answers: https://exchange-docs.crypto.com/exchange/v1/rest-ws/index.html#websocket-subscriptions
Order book: https://exchange-docs.crypto.com/exchange/v1/rest-ws/index.html#book-instrument_name-depth
Differences: a change leaves with every step of the market, not every 10 ms; heartbeats come after a second without a
message, not every 30 s, and one without an answer ends nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from tickwire.simulator.dialect import Broadcast, prices
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import Levels, PlainDialect, Session, Sides, decoded, encoded
from tickwire.simulator.market import Book, Deal, Quote, Step

DEPTHS = (10, 50)
_INVALID = (40004, "Missing or invalid argument")


class Dialect(PlainDialect):
    """Crypto.com's spot."""

    size_places = 5
    quote = "USD"
    numbered = True
    path = "/exchange/v1/market"
    listing_path = "/exchange/v1/public/get-instruments"
    not_found = '{"code":40002,"message":"Method not found"}'
    spelling = "{}_{}"
    names = (("trade.{}", "trade"), ("ticker.{}", "ticker"), ("book.{}.{}", "book"))
    depths = DEPTHS
    heartbeat = '{"id":1700000000123,"method":"public/heartbeat","code":0}'
    too_many: ClassVar[object] = {"code": 42901, "message": "Requests have exceeded rate limits"}
    unknown = '{"id":-1,"method":"simulated/notice","code":0}'
    messages_per_second = 100

    def receive(self, session: Session, text: str, now_us: int) -> list[str]:
        """Answer a request about channels, each on its own, or a heartbeat's answer with nothing."""
        request = decoded(text) or {}
        method, params = request.get("method"), request.get("params")
        if method == "public/respond-heartbeat":
            return []
        names = params.get("channels") if isinstance(params, dict) else None
        if method not in {"subscribe", "unsubscribe"} or not isinstance(names, list):
            return [_answer(request, *_INVALID)]
        if method == "subscribe":
            return [line for name in names for line in self._subscribe(session, request, str(name), now_us)]
        session.drop_all(names)
        return [_answer(request)]

    def _subscribe(self, session: Session, request: Mapping[str, Any], name: str, now_us: int) -> list[str]:
        channel = self.all.get(name)
        delta = request["params"].get("book_subscription_type") == "SNAPSHOT_AND_UPDATE"
        if channel is None or (channel.kind == "book" and not delta):
            return [_answer(request, *_INVALID, channel=name)]
        session.carry(channel)
        return [_answer(request, channel=name), *self._first(channel, now_us)]

    def _first(self, channel: Broadcast, now_us: int) -> list[str]:
        book, depth = channel.book, channel.depth
        if channel.kind == "ticker":
            return [self._best(channel, book.best(), now_us)]
        if depth is None:  # what was traded before
            return self._trades(channel, book.deals, now_us)
        sides = _levels(book.bids.top(depth), book.asks.top(depth), book.instrument)
        return [_data(channel, "book", [sides | _numbers(book.update_id, now_us) | {"cs": 0}], depth)]

    def _trades(self, channel: Broadcast, deals: Iterable[Deal], now_us: int) -> list[str]:
        return [_data(channel, "trade", [_deal(channel.book, deal, now_us) for deal in deals][::-1])]

    def _best(self, channel: Broadcast, quote: Quote, now_us: int) -> str:
        instrument = channel.book.instrument
        opening = instrument.price(instrument.opening_ticks)
        bid = {"b": instrument.price(quote.bid), "bs": instrument.size(quote.bid_lots)}
        ask = {"k": instrument.price(quote.ask), "ks": instrument.size(quote.ask_lots)}
        day = {"h": opening, "l": opening, "a": opening, "c": "0", "v": "0", "vv": "0", "oi": "0"}
        return _data(channel, "ticker", [day | bid | ask | {"i": instrument.native, "t": now_us // 1000}])

    def _change(self, channel: Broadcast, step: Step, levels: Sides, now_us: int) -> str:
        told = {"update": _levels(*levels, channel.book.instrument)}
        change = told | _numbers(step.last, now_us) | {"pu": step.first - 1, "cs": 0}
        return _data(channel, "book.update", [change], channel.depth)

    def _listing(self, listed: Sequence[object]) -> object:
        return {"id": -1, "method": "public/get-instruments", "code": 0, "result": {"data": listed}}

    def _listed(self, instrument: Instrument) -> dict[str, object]:
        names = {"symbol": instrument.native, "inst_type": "CCY_PAIR", "display_name": instrument.canonical}
        assets = {"base_ccy": instrument.base, "quote_ccy": instrument.quote}
        steps = {"price_tick_size": instrument.price(1), "qty_tick_size": instrument.size(1)}
        return {**names, **assets, **steps, "tradable": True, "expiry_timestamp_ms": 0}


def _answer(request: Mapping[str, Any], code: int = 0, message: str = "", **channel: str) -> str:
    said = {"id": request["id"]} if isinstance(request.get("id"), int) else {}
    said |= {"method": request.get("method"), "code": code} | channel
    return encoded(said | {"message": message} if code else said)


def _data(channel: Broadcast, kind: str, data: list[dict[str, Any]], depth: int | None = None) -> str:
    result: dict[str, Any] = {"instrument_name": channel.book.instrument.native, "subscription": channel.name}
    result |= {"channel": kind, "data": data} if depth is None else {"channel": kind, "depth": depth, "data": data}
    return encoded({"id": -1, "method": "subscribe", "code": 0, "result": result})


def _levels(bids: Levels, asks: Levels, instrument: Instrument) -> dict[str, object]:
    """A level's third value is the number of its orders. A removal is a plain 0."""
    sides = {"asks": prices(asks, instrument), "bids": prices(bids, instrument)}
    return {n: [[p, s, "1"] if s.strip("0.") else [p, "0", "0"] for p, s in levels] for n, levels in sides.items()}


def _numbers(number: int, now_us: int) -> dict[str, int]:
    return {"t": now_us // 1000, "tt": now_us // 1000, "u": number}


def _deal(book: Book, deal: Deal, now_us: int) -> dict[str, object]:
    numbers = {"p": book.instrument.price(deal.ticks), "q": book.instrument.size(deal.lots)}
    at = {"t": now_us // 1000, "tn": str(now_us * 1000)}
    side = "BUY" if deal.buys else "SELL"
    return {"d": str(deal.number), **at, **numbers, "s": side, "i": book.instrument.native, "m": str(deal.number)}
