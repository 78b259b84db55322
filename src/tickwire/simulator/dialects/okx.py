"""OKX spot as it looks from outside.

Channels: https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel
Answers and ping: https://www.okx.com/docs-v5/en/#overview-websocket
REST: https://www.okx.com/docs-v5/en/#order-book-trading-market-data-get-order-book
Instruments: https://www.okx.com/docs-v5/en/#public-data-rest-api-get-instruments
Differences: a message of ``books`` leaves with every step of the market, not every 100 ms, and none while it rests; a
connection that says nothing stays. With a ``snapshot_path`` books begin by REST, and none over the socket.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from tickwire.simulator.dialect import Answer, Broadcast, prices
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import Levels, PlainDialect, Session, Sides, answer, encoded
from tickwire.simulator.market import Book, Deal, Quote, Step

BOOKS_PATH = "/api/v5/market/books"
_LISTING_PATH = "/api/v5/public/instruments"
_DEPTH = 400


class Dialect(PlainDialect):
    """OKX's spot."""

    kind: ClassVar[str] = "SPOT"
    numbered = True
    path = "/ws/v5/public"
    names = (("trades {}", "trade"), ("bbo-tbt {}", "ticker"), ("books {}", "book"))
    too_many: ClassVar[object] = {"code": "50011", "msg": "Too Many Requests"}
    unavailable: ClassVar[object] = {"code": "50001", "msg": "Service temporarily unavailable. Try again later"}
    unknown = '{"event":"simulated-notice","code":"0","msg":"a kind of message that nobody documented"}'

    def receive(self, session: Session, text: str, now_us: int) -> list[str]:
        """Answer a request about channels of instruments, each on its own, or ``ping``."""
        if text == "ping":
            return ["pong"]
        try:
            request = msgspec.json.decode(text)
            number = {"id": request["id"]} if "id" in request else {}
            method, asked = request["op"], [(arg["channel"], arg["instId"]) for arg in request["args"]]
        except (msgspec.DecodeError, TypeError, KeyError):
            return [_event("error", code="60012", msg=f"Invalid request: {text}")]
        if method == "subscribe":
            return [line for one in asked for line in self._subscribe(session, *one, number, now_us)]
        if method != "unsubscribe":
            return [_event("error", code="60019", msg=f"Invalid op: {method}", **number)]
        session.drop_all(f"{name} {native}" for name, native in asked)
        return [_event("unsubscribe", arg={"channel": name, "instId": native}, **number) for name, native in asked]

    def _subscribe(self, session: Session, name: str, native: str, number: dict[str, str], now_us: int) -> list[str]:
        channel = self.all.get(f"{name} {native}")
        if channel is None:
            said = f"Wrong URL or channel:{name},instId:{native} doesn't exist. Please use the correct URL, channel and"
            return [_event("error", code="60018", msg=f"{said} parameters referring to API document.", **number)]
        session.carry(channel)
        return [_event("subscribe", arg={"channel": name, "instId": native}, **number), *self._first(channel, now_us)]

    def _first(self, channel: Broadcast, now_us: int) -> list[str]:
        if channel.kind == "ticker":
            return [self._best(channel, channel.book.best(), now_us)]
        if channel.kind == "book" and self.snapshot_path is None:
            return [_data(channel, _whole(channel.book, now_us) | {"prevSeqId": -1}, "snapshot")]
        return []

    def _trades(self, channel: Broadcast, deals: Sequence[Deal], now_us: int) -> list[str]:
        return [_trade(channel, deal, now_us) for deal in deals]

    def _best(self, channel: Broadcast, quote: Quote, now_us: int) -> str:
        sides = [(quote.bid, quote.bid_lots)], [(quote.ask, quote.ask_lots)]
        return _data(channel, _sides(channel.book, sides, now_us, quote.update_id))

    def _change(self, channel: Broadcast, step: Step, levels: Sides, now_us: int) -> str:
        change = _sides(channel.book, levels, now_us, step.last)
        return _data(channel, change | {"prevSeqId": step.first - 1}, "update")

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:
        """The instruments, and the order books."""
        if path == _LISTING_PATH:
            asked = query.get("instType") == self.kind
            return _answer([self._listed(book.instrument) for book in self.market.books if asked])
        if path != BOOKS_PATH:
            return Answer(404, '{"code":"404","msg":"Not Found","data":[]}', {})
        book = self.books.get(query.get("instId", ""))
        if book is None:
            return _answer([], "51001", "Instrument ID doesn't exist")
        return _answer([_whole(book.opening() if stale else book, now_us)])

    def _listed(self, instrument: Instrument) -> dict[str, object]:
        steps = {"tickSz": instrument.price(1), "lotSz": instrument.size(1), "minSz": instrument.size(1)}
        none = dict.fromkeys(("uly", "instFamily", "settleCcy", "ctVal", "ctMult", "ctValCcy", "ctType", "expTime"), "")
        kind = {"instType": self.kind, "instId": instrument.native, "state": "live"}
        return {**kind, **steps, **none, **self.of_listing(instrument)}

    def of_listing(self, instrument: Instrument) -> dict[str, str]:
        """What a listing says of instruments of this kind."""
        return {"baseCcy": instrument.base, "quoteCcy": instrument.quote}


def _event(event: str, **fields: object) -> str:
    return encoded({**fields, "event": event, "connId": "a4d3ae55"})


def _data(channel: Broadcast, data: dict[str, object], action: str | None = None) -> str:
    name, native = channel.name.split()
    what = {} if action is None else {"action": action}
    return encoded({"arg": {"channel": name, "instId": native}, **what, "data": [data]})


def _sides(book: Book, sides: Sides, now_us: int, number: int) -> dict[str, object]:
    bids, asks = (_levels(levels, book) for levels in sides)
    return {"asks": asks, "bids": bids, "ts": str(now_us // 1000), "checksum": 0, "seqId": number}


def _whole(book: Book, now_us: int) -> dict[str, object]:
    return _sides(book, (book.bids.top(_DEPTH), book.asks.top(_DEPTH)), now_us, book.update_id)


def _levels(levels: Levels, book: Book) -> list[list[str]]:
    """A level's third value has no meaning; the fourth is the number of its orders. A removal is a plain 0."""
    written = prices(levels, book.instrument)
    return [
        [price, size, "0", "1"] if lots else [price, "0", "0", "0"]
        for (price, size), (_, lots) in zip(written, levels, strict=True)
    ]


def _trade(channel: Broadcast, deal: Deal, now_us: int) -> str:
    book = channel.book
    price, size = book.instrument.price(deal.ticks), book.instrument.size(deal.lots)
    of = {"instId": book.instrument.native, "tradeId": str(deal.number), "px": price, "sz": size}
    side = "buy" if deal.buys else "sell"
    return _data(channel, {**of, "side": side, "ts": str(now_us // 1000), "count": "1", "seqId": book.update_id})


def _answer(data: list[dict[str, object]], code: str = "0", said: str = "") -> Answer:
    return answer({"code": code, "msg": said, "data": data})
