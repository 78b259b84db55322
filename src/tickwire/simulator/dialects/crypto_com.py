"""Crypto.com Exchange v1 as it looks from outside, its spot.

Channels, answers: https://exchange-docs.crypto.com/exchange/v1/rest-ws/index.html#websocket-subscriptions
Order book: https://exchange-docs.crypto.com/exchange/v1/rest-ws/index.html#book-instrument_name-depth
Differences: a change leaves with every step of the market, not every 10 ms; heartbeats come after a second without a
message, not every 30 s, and one without an answer ends nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tickwire.simulator.dialect import Answer, Broadcast, Conversation, Message, prices
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import PlainDialect, Session, answer, changes, decoded, encoded, refusal, window
from tickwire.simulator.market import Book, Deal, Quote

DEPTHS = (10, 50)
_LISTING_PATH = "/exchange/v1/public/get-instruments"
_INVALID = (40004, "Missing or invalid argument")


class Dialect(PlainDialect):
    """Crypto.com's spot."""

    size_places = 5
    quote = "USD"
    numbered = True
    names = (("ticker.{}", "ticker"), ("trade.{}", "trade"), *((f"book.{{}}.{depth}", "book") for depth in DEPTHS))
    heartbeat = '{"id":1700000000123,"method":"public/heartbeat","code":0}'
    unknown = '{"id":-1,"method":"simulated/notice","code":0}'
    messages_per_second = 100

    def native(self, base: str, quote: str) -> str:
        """``BTC_USD``."""
        return f"{base}_{quote}"

    def open(self, path: str, query: Mapping[str, str]) -> Conversation | None:  # noqa: ARG002 - part of the protocol
        """``/exchange/v1/market``; None elsewhere."""
        return _Session(self) if path == "/exchange/v1/market" else None

    def advance(self, book: Book, now_us: int) -> list[Message]:
        """Move *book*: trades, a ticker for every new best, and for each depth what has changed within it."""
        ticker, trades, *depths = self.of[book]
        heard = [(channel, depth) for channel, depth in zip(depths, DEPTHS, strict=True) if channel.subscribers]
        before = [window(book, depth) for _, depth in heard]
        step, messages = self.market.step(book), list[Message]()
        if trades.subscribers and step.deals:
            deals = [_deal(book, deal, now_us) for deal in reversed(step.deals)]
            messages.append(Message(trades, _data(trades, "trade", deals), False))
        if ticker.subscribers:
            messages += [Message(ticker, _best(ticker, quote, now_us), False) for quote in step.quotes]
        for (channel, depth), known in zip(heard, before, strict=True):
            levels = _levels(*changes(known, window(book, depth)), book.instrument)
            change = {"update": levels} | _numbers(step.last, now_us) | {"pu": step.first - 1}
            messages.append(Message(channel, _data(channel, "book.update", [change], depth), True))
        return messages

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:  # noqa: ARG002 - part of the protocol
        """``public/get-instruments``."""
        if path != _LISTING_PATH:
            return Answer(404, '{"code":40002,"message":"Method not found"}', {})
        listed = [_listed(book.instrument) for book in self.market.books]
        return answer({"id": -1, "method": "public/get-instruments", "code": 0, "result": {"data": listed}})

    def refuse(self, status: int) -> Answer:
        """A refusal as the exchange words it."""
        return refusal(status, {"code": 42901, "message": "Requests have exceeded rate limits"})


class _Session(Session[Dialect]):
    def receive(self, text: str, now_us: int) -> list[str]:
        request = decoded(text) or {}
        method, params = request.get("method"), request.get("params")
        if method == "public/respond-heartbeat":
            return []
        names = params.get("channels") if isinstance(params, dict) else None
        if method not in {"subscribe", "unsubscribe"} or not isinstance(names, list):
            return [_answer(request, *_INVALID)]
        if method == "unsubscribe":
            for name in names:
                self.drop(str(name))
            return [_answer(request)]
        return [line for name in names for line in self._subscribe(request, str(name), now_us)]

    def _subscribe(self, request: Mapping[str, Any], name: str, now_us: int) -> list[str]:
        channel = self.exchange.all.get(name)
        delta = request["params"].get("book_subscription_type") == "SNAPSHOT_AND_UPDATE"
        if channel is None or (channel.kind == "book" and not delta):
            return [_answer(request, *_INVALID, channel=name)]
        self.carry(channel)
        first = [_answer(request, channel=name)]
        book = channel.book
        if channel.kind == "ticker":
            first.append(_best(channel, book.best(), now_us))
        if channel.kind == "book":
            depth = int(name.rpartition(".")[2])
            sides = _levels(book.bids.top(depth), book.asks.top(depth), book.instrument)
            first.append(_data(channel, "book", [sides | _numbers(book.update_id, now_us)], depth))
        return first


def _answer(request: Mapping[str, Any], code: int = 0, message: str = "", **channel: str) -> str:
    said = {"id": request["id"]} if isinstance(request.get("id"), int) else {}
    said |= {"method": request.get("method"), "code": code} | channel
    return encoded(said | {"message": message} if code else said)


def _data(channel: Broadcast, kind: str, data: list[dict[str, Any]], depth: int | None = None) -> str:
    result: dict[str, Any] = {"instrument_name": channel.book.instrument.native, "subscription": channel.name}
    result |= {"channel": kind, "data": data} if depth is None else {"channel": kind, "depth": depth, "data": data}
    return encoded({"id": -1, "method": "subscribe", "code": 0, "result": result})


def _levels(
    bids: Sequence[tuple[int, int]], asks: Sequence[tuple[int, int]], instrument: Instrument
) -> dict[str, object]:
    """A level's third value is the number of its orders. A removal is a plain 0."""
    sides = {"asks": prices(asks, instrument), "bids": prices(bids, instrument)}
    return {n: [[p, s, "1"] if s.strip("0.") else [p, "0", "0"] for p, s in levels] for n, levels in sides.items()}


def _numbers(number: int, now_us: int) -> dict[str, int]:
    return {"t": now_us // 1000, "tt": now_us // 1000, "u": number, "cs": 0}


def _best(channel: Broadcast, quote: Quote, now_us: int) -> str:
    instrument = channel.book.instrument
    opening = instrument.price(instrument.opening_ticks)
    bid = {"b": instrument.price(quote.bid), "bs": instrument.size(quote.bid_lots)}
    ask = {"k": instrument.price(quote.ask), "ks": instrument.size(quote.ask_lots)}
    day = {"h": opening, "l": opening, "a": opening, "c": "0", "v": "0", "vv": "0", "oi": "0"}
    return _data(channel, "ticker", [day | bid | ask | {"i": instrument.native, "t": now_us // 1000}])


def _deal(book: Book, deal: Deal, now_us: int) -> dict[str, object]:
    numbers = {"p": book.instrument.price(deal.ticks), "q": book.instrument.size(deal.lots)}
    at = {"t": now_us // 1000, "tn": str(now_us * 1000)}
    side = "BUY" if deal.buys else "SELL"
    return {"d": str(deal.number), **at, **numbers, "s": side, "i": book.instrument.native, "m": str(deal.number)}


def _listed(instrument: Instrument) -> dict[str, object]:
    names = {"symbol": instrument.native, "inst_type": "CCY_PAIR", "display_name": instrument.canonical}
    assets = {"base_ccy": instrument.base, "quote_ccy": instrument.quote}
    steps = {"price_tick_size": instrument.price(1), "qty_tick_size": instrument.size(1)}
    return {**names, **assets, **steps, "tradable": True, "expiry_timestamp_ms": 0}
