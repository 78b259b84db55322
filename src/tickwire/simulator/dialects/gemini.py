"""Gemini spot as it looks from outside.

Connection, snapshots: https://docs.gemini.com/websocket/introduction
Streams: https://docs.gemini.com/websocket/streams
Differences: an update of a book leaves with every step of the market, not every 100 ms.
"""

from collections.abc import Mapping
from typing import Any

from tickwire.simulator.dialect import Answer, Broadcast, Conversation, Message, prices
from tickwire.simulator.kit import PlainDialect, Session, answer, decoded, encoded, refusal
from tickwire.simulator.market import Book, Deal, Quote


class Dialect(PlainDialect):
    """Gemini's spot."""

    quote = "USD"
    numbered = True
    names = (("{}@bookTicker", "ticker"), ("{}@depth@100ms", "book"), ("{}@trade", "trade"))
    unknown = '{"e":"simulatedNotice","text":"a kind of message that nobody documented"}'

    def native(self, base: str, quote: str) -> str:
        """``btcusd``."""
        return f"{base}{quote}".lower()

    def open(self, path: str, query: Mapping[str, str]) -> Conversation | None:
        """The root, where books begin with a snapshot if the address asks for all of it; None elsewhere."""
        return _Session(self, snapshots=query.get("snapshot") == "-1") if path == "/" else None

    def advance(self, book: Book, now_us: int) -> list[Message]:
        """Move *book*: trades, a bookTicker for every new best, and one update over all numbers of the step."""
        step = self.market.step(book)
        best, books, trades = self.of[book]
        messages: list[Message] = []
        if trades.subscribers:
            messages += [Message(trades, _trade(book, deal, now_us), False) for deal in step.deals]
        if best.subscribers:
            messages += [Message(best, _best(book, quote, now_us), False) for quote in step.quotes]
        if books.subscribers:
            bids, asks = ([(abs(key), lots) for key, lots in side.items()] for side in (step.bids, step.asks))
            messages.append(Message(books, _depth(book, (step.first, step.last), bids, asks, now_us), True))
        return messages

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:  # noqa: ARG002 - part of the protocol
        """``/v1/symbols``."""
        if path != "/v1/symbols":
            return Answer(404, '{"result":"error","reason":"EndpointNotFound"}', {})
        return answer(list(self.books))

    def refuse(self, status: int) -> Answer:
        """A refusal as the exchange words it."""
        return refusal(status, {"result": "error", "reason": "Maintenance" if status == 503 else "RateLimited"})


class _Session(Session[Dialect]):
    def __init__(self, exchange: Dialect, *, snapshots: bool) -> None:
        super().__init__(exchange)
        self._snapshots = snapshots

    def receive(self, text: str, now_us: int) -> list[str]:
        request = decoded(text) or {}
        number, method, names = request.get("id"), str(request.get("method")).lower(), request.get("params")
        if method == "ping":
            return [_answer(number)]
        if method not in {"subscribe", "unsubscribe"} or not isinstance(names, list):
            return [_answer(number, "Invalid request")]
        if method == "unsubscribe":
            for name in names:
                self.drop(str(name))
            return [_answer(number)]
        found = [self.exchange.all.get(str(name)) for name in names]
        channels = [channel for channel in found if channel is not None]
        if len(channels) < len(names):
            return [_answer(number, "Invalid symbol")]
        for channel in channels:
            self.carry(channel)
        return [_answer(number), *(line for channel in channels for line in self._first(channel, now_us))]

    def _first(self, channel: Broadcast, now_us: int) -> list[str]:
        book = channel.book
        if channel.kind == "ticker":
            return [_best(book, book.best(), now_us)]
        if channel.kind != "book" or not self._snapshots:
            return []
        bids, asks = (side.top(len(side.keys)) for side in (book.bids, book.asks))
        return [_depth(book, (book.update_id, book.update_id), bids, asks, now_us)]


def _answer(number: object, error: str = "") -> str:
    failed = {"status": 400, "error": {"code": -1121, "msg": error}}
    return encoded({"id": number} | (failed if error else {"status": 200}))


def _depth(
    book: Book, numbers: tuple[int, int], bids: list[tuple[int, int]], asks: list[tuple[int, int]], now_us: int
) -> str:
    first, last = numbers
    said: dict[str, Any] = {"e": "depthUpdate", "E": now_us * 1000, "s": book.instrument.native, "U": first, "u": last}
    return encoded(said | {"b": prices(bids, book.instrument), "a": prices(asks, book.instrument)})


def _best(book: Book, quote: Quote, now_us: int) -> str:
    text = book.instrument
    bid = {"b": text.price(quote.bid), "B": text.size(quote.bid_lots)}
    ask = {"a": text.price(quote.ask), "A": text.size(quote.ask_lots)}
    return encoded({"u": quote.update_id, "E": now_us * 1000, "s": text.native, **bid, **ask})


def _trade(book: Book, deal: Deal, now_us: int) -> str:
    """A trade; *m* says that the buyer is the maker."""
    text = book.instrument
    numbers = {"t": deal.number, "p": text.price(deal.ticks), "q": text.size(deal.lots)}
    return encoded({"E": now_us * 1000, "s": text.native, **numbers, "m": not deal.buys})
