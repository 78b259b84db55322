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

from tickwire.simulator.dialect import Answer, Broadcast, Conversation, Message, prices
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import PlainDialect, Session, answer, encoded, refusal
from tickwire.simulator.market import Book, Deal, Quote

BOOKS_PATH = "/api/v5/market/books"
_LISTING_PATH = "/api/v5/public/instruments"
_DEPTH = 400
_TEXTS = {"50001": "Service temporarily unavailable. Try again later", "50011": "Too Many Requests"}


class Dialect(PlainDialect):
    """OKX's spot."""

    kind: ClassVar[str] = "SPOT"
    numbered = True
    names = (("bbo-tbt {}", "ticker"), ("books {}", "book"), ("trades {}", "trade"))
    unknown = '{"event":"simulated-notice","code":"0","msg":"a kind of message that nobody documented"}'

    def open(self, path: str, query: Mapping[str, str]) -> Conversation | None:  # noqa: ARG002 - part of the protocol
        """``/ws/v5/public``; None elsewhere."""
        return _Session(self) if path == "/ws/v5/public" else None

    def advance(self, book: Book, now_us: int) -> list[Message]:
        """Move *book*: trades, a bbo-tbt for every new best, and the change with the number of the one before."""
        step = self.market.step(book)
        best, books, trades = self.of[book]
        messages: list[Message] = []
        if trades.subscribers:
            messages += [Message(trades, _trade(book, deal, now_us), False) for deal in step.deals]
        if best.subscribers:
            messages += [Message(best, _best(book, quote, now_us), False) for quote in step.quotes]
        if books.subscribers:
            asks, bids = ([(abs(key), lots) for key, lots in side.items()] for side in (step.asks, step.bids))
            change = _sides(_levels(asks, book), _levels(bids, book), now_us, step.last)
            text = _data("books", book, change | {"prevSeqId": step.first - 1}, "update")
            messages.append(Message(books, text, True))
        return messages

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

    def refuse(self, status: int) -> Answer:
        """A refusal as the exchange words it."""
        code = "50001" if status == 503 else "50011"
        return refusal(status, {"code": code, "msg": _TEXTS[code]})

    def _listed(self, instrument: Instrument) -> dict[str, object]:
        steps = {"tickSz": instrument.price(1), "lotSz": instrument.size(1), "minSz": instrument.size(1)}
        none = dict.fromkeys(("uly", "instFamily", "settleCcy", "ctVal", "ctMult", "ctValCcy", "ctType", "expTime"), "")
        kind = {"instType": self.kind, "instId": instrument.native, "state": "live"}
        return {**kind, **steps, **none, **self.of_listing(instrument)}

    def of_listing(self, instrument: Instrument) -> dict[str, str]:
        """What a listing says of instruments of this kind."""
        return {"baseCcy": instrument.base, "quoteCcy": instrument.quote}


class _Session(Session[Dialect]):
    def receive(self, text: str, now_us: int) -> list[str]:
        if text == "ping":
            return ["pong"]
        try:
            request = msgspec.json.decode(text)
            number = {"id": request["id"]} if "id" in request else {}
            method, asked = request["op"], [(arg["channel"], arg["instId"]) for arg in request["args"]]
        except (msgspec.DecodeError, TypeError, KeyError):
            return [_event("error", code="60012", msg=f"Invalid request: {text}")]
        if method not in {"subscribe", "unsubscribe"}:
            return [_event("error", code="60019", msg=f"Invalid op: {method}", **number)]
        answer = self._subscribe if method == "subscribe" else self._unsubscribe
        return [line for name, native in asked for line in answer(name, native, number, now_us)]

    def _subscribe(self, name: str, native: str, number: dict[str, str], now_us: int) -> list[str]:
        channel = self.exchange.all.get(f"{name} {native}")
        if channel is None:
            said = f"Wrong URL or channel:{name},instId:{native} doesn't exist. Please use the correct URL, channel and"
            return [_event("error", code="60018", msg=f"{said} parameters referring to API document.", **number)]
        self.carry(channel)
        return [_event("subscribe", arg={"channel": name, "instId": native}, **number), *self._first(channel, now_us)]

    def _first(self, channel: Broadcast, now_us: int) -> list[str]:
        book = channel.book
        if channel.kind == "ticker":
            return [_best(book, book.best(), now_us)]
        if channel.kind == "book" and self.exchange.snapshot_path is None:
            return [_data("books", book, _whole(book, now_us) | {"prevSeqId": -1}, "snapshot")]
        return []

    def _unsubscribe(self, name: str, native: str, number: dict[str, str], now_us: int) -> list[str]:  # noqa: ARG002 - as above
        self.drop(f"{name} {native}")
        return [_event("unsubscribe", arg={"channel": name, "instId": native}, **number)]


def _event(event: str, **fields: object) -> str:
    return encoded({**fields, "event": event, "connId": "a4d3ae55"})


def _data(name: str, book: Book, data: dict[str, object], action: str | None = None) -> str:
    arg = {"channel": name, "instId": book.instrument.native}
    what = {} if action is None else {"action": action}
    return encoded({"arg": arg, **what, "data": [data]})


def _sides(asks: list[list[str]], bids: list[list[str]], now_us: int, number: int) -> dict[str, object]:
    return {"asks": asks, "bids": bids, "ts": str(now_us // 1000), "checksum": 0, "seqId": number}


def _whole(book: Book, now_us: int) -> dict[str, object]:
    asks, bids = (_levels(side.top(_DEPTH), book) for side in (book.asks, book.bids))
    return _sides(asks, bids, now_us, book.update_id)


def _levels(levels: Sequence[tuple[int, int]], book: Book) -> list[list[str]]:
    """A level's third value has no meaning; the fourth is the number of its orders. A removal is a plain 0."""
    written = prices(levels, book.instrument)
    return [
        [price, size, "0", "1"] if lots else [price, "0", "0", "0"]
        for (price, size), (_, lots) in zip(written, levels, strict=True)
    ]


def _best(book: Book, quote: Quote, now_us: int) -> str:
    asks, bids = _levels([(quote.ask, quote.ask_lots)], book), _levels([(quote.bid, quote.bid_lots)], book)
    return _data("bbo-tbt", book, _sides(asks, bids, now_us, quote.update_id))


def _trade(book: Book, deal: Deal, now_us: int) -> str:
    price, size = book.instrument.price(deal.ticks), book.instrument.size(deal.lots)
    of = {"instId": book.instrument.native, "tradeId": str(deal.number), "px": price, "sz": size}
    side = "buy" if deal.buys else "sell"
    return _data("trades", book, {**of, "side": side, "ts": str(now_us // 1000), "count": "1", "seqId": book.update_id})


def _answer(data: list[dict[str, object]], code: str = "0", said: str = "") -> Answer:
    return answer({"code": code, "msg": said, "data": data})
