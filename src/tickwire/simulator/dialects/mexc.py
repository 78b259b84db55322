"""MEXC spot as it looks from outside: messages in Protocol Buffers, answers in JSON.

Streams: https://www.mexc.com/api-docs/spot-v3/websocket-market-streams
Messages: https://github.com/mexcdevelop/websocket-proto
Differences: a change leaves with every step of the market instead of every 100 ms.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from tickwire.records.formats.varints import put_varint
from tickwire.simulator.dialect import Answer, Broadcast, prices
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import PlainDialect, Session, Sides, answer, decoded, encoded
from tickwire.simulator.market import Deal, Quote, Step

_MOST_STREAMS = 30  # of one connection
_BYTES = "latin-1"  # a character a byte: how a binary message is held


class Dialect(PlainDialect):
    """MEXC's spot."""

    numbered = True
    path = "/ws"
    spelling = "{}{}"
    names = (
        ("spot@public.aggre.deals.v3.api.pb@100ms@{}", "trade"),
        ("spot@public.aggre.bookTicker.v3.api.pb@100ms@{}", "ticker"),
        ("spot@public.aggre.depth.v3.api.pb@100ms@{}", "book"),
    )
    too_many: ClassVar[object] = {"code": 429, "msg": "Too Many Requests"}
    unknown = '{"id":0,"code":1,"msg":"a kind of message that nobody documented"}'
    snapshot_path = "/api/v3/depth"
    faults = frozenset({"stale"})

    def binary(self, text: str) -> bytes | None:
        """All but answers."""
        return None if text.startswith("{") else text.encode(_BYTES)

    def receive(self, session: Session, text: str, now_us: int) -> list[str]:  # noqa: ARG002 - no answer has a time
        """Answer a request; names are subscribed each on its own."""
        request = decoded(text) or {}
        method, names, number = request.get("method"), request.get("params"), request.get("id")
        if method == "PING":
            return [_answer(number, "PONG")]
        if method not in {"SUBSCRIPTION", "UNSUBSCRIPTION"} or not isinstance(names, list):
            return [_answer(number, "invalid request")]
        if method == "UNSUBSCRIPTION":
            session.drop_all(names)
            return [_answer(number, ",".join(map(str, names)))]
        return [_answer(number, self._subscribe(session, str(name))) for name in names]

    def _subscribe(self, session: Session, name: str) -> str:
        channel = self.all.get(name)
        if channel is None or len(session.carried.keys() | {name}) > _MOST_STREAMS:
            return f"Not Subscribed successfully! [{name}].  Reason： Blocked! "  # noqa: RUF001 - as it is sent
        session.carry(channel)
        return name

    def _trades(self, channel: Broadcast, deals: Sequence[Deal], now_us: int) -> list[str]:
        text = channel.book.instrument
        said = [
            _fields(
                (1, text.price(deal.ticks)), (2, text.size(deal.lots)), (3, 1 if deal.buys else 2),
                (4, now_us // 1000), (5, f"{deal.number}X1"),
            )
            for deal in deals
        ]  # fmt: skip
        return [_pushed(channel, 314, _fields(*((1, deal) for deal in said)), now_us)]

    def _best(self, channel: Broadcast, quote: Quote, now_us: int) -> str:
        text = channel.book.instrument
        bid = (1, text.price(quote.bid)), (2, text.size(quote.bid_lots))
        body = _fields(*bid, (3, text.price(quote.ask)), (4, text.size(quote.ask_lots)))
        return _pushed(channel, 315, body, now_us)

    def _change(self, channel: Broadcast, step: Step, levels: Sides, now_us: int) -> str:
        bids, asks = levels
        sides = [
            (field, _fields((1, price), (2, size)))
            for field, side in ((1, asks), (2, bids))
            for price, size in prices(side, channel.book.instrument)
        ]
        body = _fields(*sides, (3, channel.name.rpartition("@")[0]), (4, str(step.first)), (5, str(step.last)))
        return _pushed(channel, 313, body, now_us)

    def rest(self, path: str, query: Mapping[str, str], now_us: int, *, stale: bool) -> Answer:
        """``/api/v3/exchangeInfo`` and ``/api/v3/depth``."""
        if path == "/api/v3/exchangeInfo":
            return answer({"timezone": "CST", "symbols": [_listed(book.instrument) for book in self.market.books]})
        book = self.books.get(query.get("symbol", ""))
        if path != self.snapshot_path or book is None:
            return Answer(400, '{"code":-1121,"msg":"Invalid symbol."}', {})
        true = book.opening() if stale else book
        sides = {n: prices(side.top(), book.instrument) for n, side in (("bids", true.bids), ("asks", true.asks))}
        return answer({"lastUpdateId": true.update_id, **sides, "timestamp": now_us // 1000})


def _answer(number: object, text: str) -> str:
    return encoded({"id": number if isinstance(number, int) else 0, "code": 0, "msg": text})


def _fields(*fields: tuple[int, int | str | bytes]) -> bytes:
    """Write a message of Protocol Buffers, as https://protobuf.dev/programming-guides/encoding/ describes it."""
    return b"".join([_field(name, value) for name, value in fields])


def _field(name: int, value: int | str | bytes) -> bytes:
    content = value.encode() if isinstance(value, str) else value
    numbers, rest = (
        ((name << 3, content), b"") if isinstance(content, int) else ((name << 3 | 2, len(content)), content)
    )
    field = bytearray()
    for number in numbers:
        put_varint(field, number)
    return bytes(field) + rest


def _pushed(channel: Broadcast, field: int, body: bytes, now_us: int) -> str:
    native = channel.book.instrument.native
    return _fields((1, channel.name), (3, native), (6, now_us // 1000), (field, body)).decode(_BYTES)


def _listed(instrument: Instrument) -> dict[str, object]:
    assets = {"baseAsset": instrument.base, "quoteAsset": instrument.quote}
    return {"symbol": instrument.native, "status": "1", **assets, "isSpotTradingAllowed": True}
