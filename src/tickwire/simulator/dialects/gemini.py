"""Gemini spot as it looks from outside.

Connection, snapshots: https://docs.gemini.com/websocket/introduction
Streams: https://docs.gemini.com/websocket/streams
Differences: an update of a book leaves with every step of the market, not every 100 ms.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tickwire.simulator.dialect import Broadcast, Conversation, prices
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import PlainDialect, Session, Sides, decoded, encoded
from tickwire.simulator.market import Book, Deal, Quote, Step


class Dialect(PlainDialect):
    """Gemini's spot."""

    quote = "USD"
    numbered = True
    names = (("{}@trade", "trade"), ("{}@bookTicker", "ticker"), ("{}@depth@100ms", "book"))
    too_many: ClassVar[object] = {"result": "error", "reason": "RateLimited"}
    unavailable: ClassVar[object] = {"result": "error", "reason": "Maintenance"}
    unknown = '{"e":"simulatedNotice","text":"a kind of message that nobody documented"}'
    listing_path = "/v1/symbols"
    not_found = '{"result":"error","reason":"EndpointNotFound"}'

    def native(self, base: str, quote: str) -> str:
        """``btcusd``."""
        return f"{base}{quote}".lower()

    def open(self, path: str, query: Mapping[str, str]) -> Conversation | None:
        """The root, where books begin with a snapshot if the address asks for all of it; None elsewhere."""
        return _Session(self, snapshots=query.get("snapshot") == "-1") if path == "/" else None

    def receive(self, session: Session, text: str, now_us: int) -> list[str]:
        """Answer a request, which is accepted or refused as a whole."""
        request = decoded(text) or {}
        number, method, names = request.get("id"), str(request.get("method")).lower(), request.get("params")
        if method == "ping":
            return [_answer(number)]
        if method not in {"subscribe", "unsubscribe"} or not isinstance(names, list):
            return [_answer(number, "Invalid request")]
        if method == "unsubscribe":
            session.drop_all(names)
            return [_answer(number)]
        found = [self.all.get(str(name)) for name in names]
        channels = [channel for channel in found if channel is not None]
        if len(channels) < len(names):
            return [_answer(number, "Invalid symbol")]
        for channel in channels:
            session.carry(channel)
        snapshots = isinstance(session, _Session) and session.snapshots
        return [_answer(number), *(line for c in channels for line in self._first(c, now_us, snapshots=snapshots))]

    def _first(self, channel: Broadcast, now_us: int, *, snapshots: bool) -> list[str]:
        book = channel.book
        if channel.kind == "ticker":
            return [self._best(channel, book.best(), now_us)]
        whole = book.bids.top(), book.asks.top()
        return (
            [_depth(book, book.update_id, book.update_id, whole, now_us)]
            if channel.kind == "book" and snapshots
            else []
        )

    def _trades(self, channel: Broadcast, deals: Sequence[Deal], now_us: int) -> list[str]:
        return [_trade(channel.book, deal, now_us) for deal in deals]

    def _best(self, channel: Broadcast, quote: Quote, now_us: int) -> str:
        text = channel.book.instrument
        bid = {"b": text.price(quote.bid), "B": text.size(quote.bid_lots)}
        ask = {"a": text.price(quote.ask), "A": text.size(quote.ask_lots)}
        return encoded({"u": quote.update_id, "E": now_us * 1000, "s": text.native, **bid, **ask})

    def _change(self, channel: Broadcast, step: Step, levels: Sides, now_us: int) -> str:
        return _depth(channel.book, step.first, step.last, levels, now_us)

    def _listed(self, instrument: Instrument) -> str:
        return instrument.native


class _Session(Session):
    def __init__(self, exchange: Dialect, *, snapshots: bool) -> None:
        super().__init__(exchange)
        self.snapshots = snapshots


def _answer(number: object, error: str = "") -> str:
    failed = {"status": 400, "error": {"code": -1121, "msg": error}}
    return encoded({"id": number} | (failed if error else {"status": 200}))


def _depth(book: Book, first: int, last: int, levels: Sides, now_us: int) -> str:
    said: dict[str, Any] = {"e": "depthUpdate", "E": now_us * 1000, "s": book.instrument.native, "U": first, "u": last}
    bids, asks = (prices(side, book.instrument) for side in levels)
    return encoded(said | {"b": bids, "a": asks})


def _trade(book: Book, deal: Deal, now_us: int) -> str:
    """A trade; *m* says that the buyer is the maker."""
    text = book.instrument
    numbers = {"t": deal.number, "p": text.price(deal.ticks), "q": text.size(deal.lots)}
    return encoded({"E": now_us * 1000, "s": text.native, **numbers, "m": not deal.buys})
