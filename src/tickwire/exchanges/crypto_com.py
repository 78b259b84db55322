"""Crypto.com Exchange v1, spot and contracts: ``ticker`` (best bid and offer), ``book`` (snapshot, changes), ``trade``.

Answers, heartbeats, limits: https://exchange-docs.crypto.com/exchange/v1/rest-ws/index.html#websocket-subscriptions
Keeping the book: https://exchange-docs.crypto.com/exchange/v1/rest-ws/index.html#book-instrument_name-depth

The book's ``cs`` is no checksum of a documented kind, and is not read. The first message of ``trade`` has executions of
before the subscription, as recordings of 2021 and 2026 show. Unconfirmed: what leaves the depth of a book is removed,
which is done here all the same.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from tickwire.errors import FrameRejected
from tickwire.events.rules import PREVIOUS, Rule
from tickwire.events.types import Micros, TakerSide
from tickwire.exchanges import contract
from tickwire.exchanges._crypto_com import derive, read_listing
from tickwire.exchanges.contract import Channel, Output, Send, Symbol, decoded, malformed
from tickwire.exchanges.kit import BookEvent, Item, KitAdapter, Method, StreamedBook, by_previous

__all__ = ["EXCHANGE", "Adapter", "derive", "read_listing"]

EXCHANGE = contract.Exchange(
    name="crypto_com",
    ws_url="wss://stream.crypto.com/exchange/v1/market",
    rest_url="https://api.crypto.com",
    listing_paths=("/exchange/v1/public/get-instruments",),
    symbols_per_connection=130,  # 400 subscriptions a connection, three a symbol
    message_interval_s=0.02,  # 100 requests a second, fewer in the one in which the connection began
    connect_interval_s=1.0,  # no limit is documented
    rest_limits=(contract.Limit(100, 1.0),),
    ping_interval_s=None,
    silence_s=70.0,  # the exchange sends a heartbeat every 30 s
    book_depths=(10, 50),
    checks=("sequence",),
)

_THEIRS: dict[Channel, str] = {"ticker": "ticker", "orderbook": "book", "trade": "trade"}
_OURS: dict[str, Channel] = {theirs: ours for ours, theirs in _THEIRS.items()}
_SIDES: dict[str, TakerSide] = {"BUY": "buy", "SELL": "sell"}  # "side is the side of the taker order"
_CHANGE_SHAPE = (
    b'{"id":-1,"method":"subscribe","code":0,"result":{"instrument_name":"$","subscription":"~",'
    b'"channel":"book.update","depth":!,"data":[{"update":{"asks":=a,"bids":=b},"t":#x,"tt":#m,"u":#l,"pu":#p+}]}}'
)
_NO_LEVELS = Raw(b"[]")
_NO_ANSWER = {40003, 42901}  # INVALID_REQUEST, which data follows; TOO_MANY_REQUESTS

_Number = Annotated[int, Meta(ge=0, le=2**62)]
_Depth = Annotated[int, Meta(ge=1, le=5000)]


class _Ticker(Struct, gc=False):
    b: str | None = None  # a side may be missing
    bs: str | None = None
    k: str | None = None
    ks: str | None = None
    a: str | None = None  # the last price
    t: _Number | None = None


class _Levels(Struct, gc=False):
    bids: Raw = _NO_LEVELS
    asks: Raw = _NO_LEVELS


class _Book(_Levels, gc=False, kw_only=True):
    """A snapshot, or a change in *update*, which is empty where nothing has changed."""

    update: _Levels | None = None
    u: _Number
    pu: _Number | None = None
    t: _Number | None = None  # when it was said
    tt: _Number | None = None  # when it happened


class _Trade(Struct, gc=False):
    d: str
    p: str
    q: str
    s: str
    t: _Number


class _Result(Struct):
    channel: str
    instrument_name: str
    data: Raw
    depth: _Depth | None = None


class _Frame(Struct):
    """Data of a channel, an answer, or a heartbeat."""

    method: str | None = None
    id: int | str | None = None
    code: int = 0
    message: str = "no reason"
    channel: str = ""  # of an answer
    result: _Result | None = None


_decode = msgspec.json.Decoder(_Frame).decode
_decode_ticker = msgspec.json.Decoder(tuple[_Ticker]).decode
_decode_book = msgspec.json.Decoder(tuple[_Book]).decode
_decode_trades = msgspec.json.Decoder(list[_Trade]).decode


class Adapter(KitAdapter[StreamedBook]):
    """One connection to the market endpoint. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    exchange = EXCHANGE
    shapes = b"", _CHANGE_SHAPE, b""
    rule = Rule(PREVIOUS)
    most = 1  # it is not documented which channel of several an error concerns

    def keep(self, symbol: Symbol) -> StreamedBook:
        """Make a book whose changes name the number of the one before."""
        messages = self.messages(symbol)
        return StreamedBook(symbol, messages, self.again, self.short_way, follows=by_previous, cut=True)

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:
        """Ask for one channel of one instrument."""
        ((channel, symbol),) = items
        name = f"{_THEIRS[channel]}.{symbol.native}"
        params: dict[str, object] = {"channels": [name]}
        if channel == "orderbook":
            params = {"channels": [f"{name}.{self.depth}"], "book_subscription_type": "SNAPSHOT_AND_UPDATE"}
            params["book_update_frequency"] = 10
        request = {"method": method, "params": params}
        return msgspec.json.encode(request if number is None else {"id": number} | request)

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame. Raises :exc:`~tickwire.errors.FrameRejected`."""
        frame = decoded("frame", _decode, payload)
        result = frame.result
        if frame.method == "subscribe":
            if result is None:
                return self._answered(frame)
            if result.channel in {"book", "book.update"}:
                return self._change(result, received_us)
            if result.channel == "ticker":
                return self._best(result, received_us)
            if result.channel == "trade":
                return self._trades(result, received_us)
        if frame.method == "public/heartbeat":
            # "Client must respond with the same id within 5 seconds, or the connection will be terminated."
            answer = {"id": frame.id, "method": "public/respond-heartbeat"}
            return [Send(msgspec.json.encode(answer), urgent=True)]
        if frame.method == "unsubscribe":
            return []
        raise contract.unexpected(payload)

    def _best(self, result: _Result, received_us: Micros) -> list[Output]:
        (best,) = decoded("ticker", _decode_ticker, result.data)
        at_us = None if best.t is None else best.t * 1000
        prices = best.b or None, best.bs, best.k or None, best.ks
        return self.ticker(result.instrument_name, *prices, received_us, last=best.a or None, exchange_us=at_us)

    def _change(self, result: _Result, received_us: Micros) -> list[Output]:
        kept = self.kept(result.instrument_name)
        (book,) = decoded("book", _decode_book, result.data)
        at = book.t if book.tt is None else book.tt
        levels, at_us = book.update or book, None if at is None else at * 1000
        if result.channel == "book":
            if result.depth is not None:
                kept.promise(result.depth)  # what the exchange says counts, not what we asked for
            out = kept.snapshot(BookEvent(levels.bids, levels.asks, book.u, exchange_us=at_us), received_us)
        elif book.pu is None:
            raise malformed(f"change of {kept.native}", "it does not name the number before")
        else:
            # "If pu does not match the last u, re-subscribe to get a new snapshot."
            event = BookEvent(levels.bids, levels.asks, book.u, previous=book.pu, exchange_us=at_us)
            out = kept.change(event, received_us)
        return self.heard(kept, out) if kept.new else out

    def _trades(self, result: _Result, received_us: Micros) -> list[Output]:
        """Take executions, the newest of which is the first; those of the first message are from before."""
        trades, out = decoded("trades", _decode_trades, result.data), list[Output]()
        if result.instrument_name in self._new_trades:
            return self.past_trades(result.instrument_name)
        for one in reversed(trades):
            side = _SIDES.get(one.s)
            if side is None:
                raise malformed(f"trade of {result.instrument_name}", f"the side {one.s!r:.20}")
            out += self.trade(result.instrument_name, one.d, one.p, one.q, side, received_us, exchange_us=one.t * 1000)
        return out

    def _answered(self, frame: _Frame) -> list[Output]:
        """Take an answer, known by the channel that it names or by the request's number."""
        error = None if frame.code == 0 else f"{frame.message} (code {frame.code})"[: contract.MAX_TEXT]
        if frame.code in _NO_ANSWER:
            raise FrameRejected("unknown", f"an answer {error!r}")
        kind, _, rest = frame.channel.partition(".")
        if kind in _OURS:
            native = rest.rpartition(".")[0] if kind == "book" else rest
            return self.answered_each(_OURS[kind], native, error)
        return self.answered("" if frame.id is None else frame.id, error)
