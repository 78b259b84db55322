"""HTX spot as it looks from outside: two sockets, packed frames, JSON numbers with exponents.

Channels: https://huobiapi.github.io/docs/spot/v1/en/#websocket-market-data
Order book: https://huobiapi.github.io/docs/spot/v1/en/#market-by-price-incremental-update
Differences: a change leaves with every step of the market, not every 100 ms, and not always with levels; pings come
after a second without a message, not every 5 s, and one without an answer ends nothing.
"""

import gzip
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

from tickwire.simulator.dialect import Broadcast, Conversation, Kind, prices
from tickwire.simulator.instruments import Instrument
from tickwire.simulator.kit import Levels, PlainDialect, Session, Sides, decoded, encoded
from tickwire.simulator.market import Book, Deal, Quote, Step

_DEPTH = 150
_SMALL = "0.000"  # how numbers begin that have an exponent
_ROUTES: dict[str, tuple[Kind, ...]] = {"/ws": ("ticker", "trade"), "/feed": ("book",)}


class Dialect(PlainDialect):
    """HTX's spot."""

    numbered = True
    names = (("market.{}.trade.detail", "trade"), ("market.{}.bbo", "ticker"), ("market.{}.mbp.{}", "book"))
    depths = (_DEPTH,)
    listing_path = "/v1/common/symbols"
    not_found = '{"status":"error","err-code":"not-found","err-msg":"Not Found"}'
    heartbeat = '{"ping":1700000000123}'
    too_many: ClassVar[object] = {"status": "error", "err-code": "too-many-request", "err-msg": "too many requests"}
    unknown = '{"ch":"market.simulated.notice","ts":1700000000123,"tick":{}}'

    def native(self, base: str, quote: str) -> str:
        """``btcusdt``."""
        return f"{base}{quote}".lower()

    def binary(self, text: str) -> bytes:
        """Every message is a gzip file."""
        return gzip.compress(text.encode(), 1)

    def open(self, path: str, query: Mapping[str, str]) -> Conversation | None:  # noqa: ARG002 - part of the protocol
        """``/ws`` and ``/feed``, each for its channels; None elsewhere."""
        return _Session(self, _ROUTES[path]) if path in _ROUTES else None

    def receive(self, session: Session, text: str, now_us: int) -> list[str]:
        """Answer a request about one channel, or the question for a book."""
        request = decoded(text) or {}
        if "pong" in request:
            return []
        number = request.get("id")
        verb = next((verb for verb in ("sub", "unsub", "req") if verb in request), "")
        name = str(request.get(verb))
        channel = self.all.get(name)
        kinds = session.kinds if isinstance(session, _Session) else ()
        if channel is None or channel.kind not in kinds or (verb == "req" and channel.kind != "book"):
            error = {"status": "error", "ts": now_us // 1000, "id": number, "err-code": "bad-request"}
            return [encoded(error | {"err-msg": f"invalid topic {name}" if verb else "invalid json"})]
        said = {"id": number, "status": "ok", "ts": now_us // 1000}
        if verb == "req":
            return [_answer(said | {"rep": name}, channel.book)]
        if verb == "sub":
            session.carry(channel)
            return [encoded(said | {"subbed": name})]
        session.drop(name)
        return [encoded(said | {"unsubbed": name})]

    def _trades(self, channel: Broadcast, deals: Sequence[Deal], now_us: int) -> list[str]:
        text, ms = channel.book.instrument, now_us // 1000
        said = [
            f'{{"id":{deal.number}0000000000000,"ts":{ms},"tradeId":{deal.number},"amount":{_number(text.size(deal.lots))},'
            f'"price":{_number(text.price(deal.ticks))},"direction":"{"buy" if deal.buys else "sell"}"}}'
            for deal in deals
        ]
        return [_pushed(channel, f'{{"id":{deals[-1].number},"ts":{ms},"data":[{",".join(said)}]}}', now_us)]

    def _best(self, channel: Broadcast, quote: Quote, now_us: int) -> str:
        text = channel.book.instrument
        bid = f'"bid":{_number(text.price(quote.bid))},"bidSize":{_number(text.size(quote.bid_lots))}'
        ask = f'"ask":{_number(text.price(quote.ask))},"askSize":{_number(text.size(quote.ask_lots))}'
        more = f'"seqId":{quote.update_id},"quoteTime":{now_us // 1000},"symbol":"{text.native}"'
        return _pushed(channel, f"{{{more},{bid},{ask}}}", now_us)

    def _change(self, channel: Broadcast, step: Step, levels: Sides, now_us: int) -> str:
        sides = _sides(*levels, channel.book.instrument)
        return _pushed(channel, f'{{"seqNum":{step.last},"prevSeqNum":{step.first - 1},{sides}}}', now_us)

    def _listing(self, listed: Sequence[object]) -> object:
        return {"status": "ok", "data": listed}

    def _listed(self, instrument: Instrument) -> dict[str, object]:
        names = {"symbol": instrument.native, "base-currency": instrument.base.lower()}
        places = {"price-precision": instrument.price_places, "amount-precision": instrument.size_places}
        return {**names, "quote-currency": instrument.quote.lower(), **places, "state": "online"}


class _Session(Session):
    def __init__(self, exchange: Dialect, kinds: tuple[Kind, ...]) -> None:
        super().__init__(exchange)
        self.kinds = kinds


def _number(text: str) -> str:
    """A JSON number as the exchange writes it."""
    return f"{Decimal(text):E}" if text.startswith(_SMALL) and text.strip("0.") else text


def _sides(bids: Levels, asks: Levels, instrument: Instrument) -> str:
    written = (
        ",".join([f"[{_number(price)},{_number(size) if size.strip('0.') else 0}]" for price, size in levels])
        for levels in (prices(bids, instrument), prices(asks, instrument))
    )
    return '"bids":[{}],"asks":[{}]'.format(*written)


def _answer(said: dict[str, object], book: Book) -> str:
    sides = _sides(book.bids.top(_DEPTH), book.asks.top(_DEPTH), book.instrument)
    return f'{encoded(said)[:-1]},"data":{{"seqNum":{book.update_id},{sides}}}}}'


def _pushed(channel: Broadcast, tick: str, now_us: int) -> str:
    return f'{{"ch":"{channel.name}","ts":{now_us // 1000},"tick":{tick}}}'
