"""What the products of OKX v5 share: frames, answers, and the order book's rule.

Subscriptions, ping and notices: https://www.okx.com/docs-v5/en/#overview-websocket
Channels ``bbo-tbt`` and ``books``: https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel
Trades, of which one message may join several: https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-trades-channel
Snapshot by REST: https://www.okx.com/docs-v5/en/#order-book-trading-market-data-get-order-book

The checksum is 0 since June 2026 and is not read. Whether the snapshot over the socket has gone, as was announced, and
whether the body of REST has ``seqId`` everywhere, is unconfirmed: a body without it is refused.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Annotated
from urllib.parse import quote

import msgspec
from msgspec import Meta, Raw, Struct

from tickwire.errors import FrameRejected
from tickwire.events.side import read_levels
from tickwire.events.types import Micros, TakerSide
from tickwire.exchanges import contract
from tickwire.exchanges.contract import Channel, Fetch, Output, Reconnect, Symbol, malformed
from tickwire.exchanges.kit import BookEvent, EitherBook, Item, KitAdapter, Method, chained, chained_on_snapshot
from tickwire.exchanges.messages import BookMessages
from tickwire.exchanges.numbers import in_units, size_in_units

_THEIRS: dict[Channel, str] = {"ticker": "bbo-tbt", "orderbook": "books", "trade": "trades"}
_OURS: dict[str, Channel] = {theirs: ours for ours, theirs in _THEIRS.items()}
_DEPTH = 400  # levels a side of ``books``, and the most that REST gives
_UPGRADE = "64008"  # "The connection will soon be closed for a service upgrade"
_TOO_MANY = frozenset({"60014", "50011"})  # "Requests too frequent": says nothing about what was asked for
_NAMED = re.compile(r"channel:([\w-]+), ?instId:([\w-]+) doesn't exist")  # in the text of error 60018

_Number = Annotated[int, Meta(ge=0, le=2**62)]
_Time = Annotated[int, Meta(ge=0, le=2**53)]  # ms, as text


class _Argument(Struct):
    channel: str
    name: str | None = msgspec.field(name="instId", default=None)


class _Sides(Struct, gc=False):
    """A book's snapshot or change, or the best bid and offer as a book of one level a side."""

    asks: Raw
    bids: Raw
    ts: _Time
    number: _Number = msgspec.field(name="seqId")
    previous: Annotated[int, Meta(ge=-1, le=2**62)] = msgspec.field(name="prevSeqId", default=-1)


class _Trade(Struct, gc=False):
    """One or more executions of one taker at one price, with the last one's id."""

    name: str = msgspec.field(name="instId")
    trade_id: str = msgspec.field(name="tradeId")
    price: str = msgspec.field(name="px")
    size: str = msgspec.field(name="sz")
    side: TakerSide
    ts: _Time


class _Frame(Struct):
    """Data of a channel, or an event: an answer, an error, a notice."""

    arg: _Argument | None = None
    action: str | None = None
    data: Raw = Raw(b"[]")
    event: str | None = None
    code: str | None = None
    msg: str | None = None
    id: str | None = None


class _Body(Struct):
    code: str
    msg: str = ""
    data: list[_Sides] = []


_decode = msgspec.json.Decoder(_Frame, strict=False).decode
_decode_sides = msgspec.json.Decoder(tuple[_Sides], strict=False).decode  # every message has one
_decode_trades = msgspec.json.Decoder(list[_Trade], strict=False).decode
_decode_body = msgspec.json.Decoder(_Body, strict=False).decode


class OkxAdapter(KitAdapter[EitherBook]):
    """One connection to the public endpoint. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    most = 200  # subscriptions in one request, which may have 64 KB
    ping_text = b"ping"

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame. Raises :exc:`~tickwire.errors.FrameRejected`.

        A change that cannot be read shows in the numbers of the next one.
        """
        if payload == b"pong":
            return []
        try:
            frame = _decode(payload)
            if frame.event is not None:
                return self._event(frame)
            if frame.arg is not None and frame.arg.channel in _OURS:
                if frame.arg.channel == "trades":
                    return self._executions(frame.arg.name, _decode_trades(frame.data), received_us)
                take = self._best if frame.arg.channel == "bbo-tbt" else self._change
                (sides,) = _decode_sides(frame.data)
                return take(frame.arg.name, sides, frame.action, received_us)
        except (*contract.UNREADABLE, ValueError) as e:
            raise malformed("frame", e) from None
        raise FrameRejected("unknown", f"a message {payload[: contract.MAX_TEXT]!r}")

    def keep(self, symbol: Symbol) -> EitherBook:
        """Make a book: a snapshot over the socket begins it, or the one of REST.

        "``prevSeqId`` is the ``seqId`` of the last message"; a lower ``seqId`` is a sequence that began again after
        maintenance, and equal ones without levels say that nothing has changed.
        """
        fetch = Fetch(symbol, f"/api/v5/market/books?instId={quote(symbol.native)}&sz={_DEPTH}", 1, group="books")
        messages = BookMessages(self.exchange.name, symbol, self.depth)
        return EitherBook(
            messages, fetch, partial(_read_snapshot, symbol.contract_size), self.again, chained, chained_on_snapshot
        )

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:
        """Ask for channels of instruments."""
        args = [{"channel": _THEIRS[channel], "instId": symbol.native} for channel, symbol in items]
        request = {"op": method, "args": args}
        return msgspec.json.encode(request if number is None else {"id": str(number)} | request)

    def _best(self, name: str | None, sides: _Sides, _action: str | None, received_us: Micros) -> list[Output]:
        symbol = self._tickers.get(name)
        size = "1" if symbol is None else symbol.contract_size
        bid, ask = _first(sides.bids, size), _first(sides.asks, size)
        return self.ticker(name, *bid, *ask, received_us, sequence=sides.number, exchange_us=sides.ts * 1000)

    def _executions(self, name: str | None, trades: Sequence[_Trade], received_us: Micros) -> list[Output]:
        symbol, out = self._traded.get(name), list[Output]()
        for one in trades:
            if one.name != name:
                raise ValueError(f"a trade of {one.name!r:.40} on the channel of {name!r:.40}")
            size = one.size if symbol is None else size_in_units(one.size, symbol.contract_size)
            of_trade = name, one.trade_id, one.price, size, one.side
            out += self.trade(*of_trade, received_us, exchange_us=one.ts * 1000)
        return out

    def _change(self, name: str | None, sides: _Sides, action: str | None, received_us: Micros) -> list[Output]:
        kept = self.kept(name)
        event = _read(sides, kept.symbol.contract_size)
        if action == "update":
            out = kept.change(event, received_us)
        elif action == "snapshot":
            out = kept.snapshot(event, received_us)
        else:
            raise ValueError(f"a book message of the action {action!r:.100}")
        return self.heard(kept, out) if kept.new else out

    def _event(self, frame: _Frame) -> list[Output]:
        """Take what is no data."""
        said = f"{frame.msg or 'no reason'} (code {frame.code})"[: contract.MAX_TEXT]
        if frame.event == "subscribe" and frame.arg is not None:
            return self.answered_each(_OURS.get(frame.arg.channel), frame.arg.name, None)
        if frame.event in {"unsubscribe", "channel-conn-count"}:
            return []
        if frame.event == "notice" and frame.code == _UPGRADE:
            return [Reconnect(said)]
        if frame.event == "error" and frame.code not in _TOO_MANY:
            named = _NAMED.search(frame.msg or "")
            if named is not None and named[1] in _OURS:
                return self.answered_each(_OURS[named[1]], named[2], said)
            if frame.id is not None and frame.id.isdecimal():
                return self.answered(int(frame.id), said)
        raise FrameRejected("unknown", f"an event {frame.event!r:.40}: {said}")


def _read(sides: _Sides, contract_size: str) -> BookEvent:
    bids, asks = in_units(sides.bids, contract_size), in_units(sides.asks, contract_size)
    return BookEvent(bids, asks, sides.number, previous=sides.previous, exchange_us=sides.ts * 1000)


def _read_snapshot(contract_size: str, body: bytes) -> BookEvent:
    answer = _decode_body(body)
    if answer.code != "0" or len(answer.data) != 1:
        raise malformed("order book", f"the exchange answered {answer.code} {answer.msg!r}")
    try:
        return _read(answer.data[0], contract_size)
    except ValueError as e:
        raise malformed("order book", e) from None


def _first(levels: Raw, contract_size: str) -> tuple[str | None, str | None]:
    """The best level of a side, nothing where the side is empty."""
    price, size = next(iter(read_levels(levels)), (None, None))
    return price, None if size is None else size_in_units(size, contract_size)
