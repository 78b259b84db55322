"""What the products of OKX v5 share: frames, answers, and the order book's rule.

Subscriptions, ping and notices: https://www.okx.com/docs-v5/en/#overview-websocket
Channels ``bbo-tbt`` and ``books``: https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel
Trades, of which one message may join several: https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-trades-channel
Snapshot by REST: https://www.okx.com/docs-v5/en/#order-book-trading-market-data-get-order-book

The checksum is 0 since June 2026; one that is not 0 is compared. Books had no ``seqId`` before they had it beside the
checksum. Whether the snapshot over the socket has gone, as was announced, and whether the body of REST has ``seqId``
everywhere, is unconfirmed: a body without it is refused.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import ClassVar
from urllib.parse import quote

import msgspec

from tickwire.errors import FrameRejected
from tickwire.events.rules import PREVIOUS, Rule
from tickwire.events.types import Micros
from tickwire.exchanges import contract
from tickwire.exchanges._okx_frames import (
    Frame,
    Sides,
    Ticker,
    Trade,
    checksum,
    decode,
    decode_sides,
    decode_ticker,
    decode_trades,
    first,
    read_book,
    read_snapshot,
)
from tickwire.exchanges.contract import Channel, Fetch, Output, Reconnect, Symbol, malformed
from tickwire.exchanges.kit import EitherBook, Item, KitAdapter, Method, chained, chained_on_snapshot
from tickwire.exchanges.kit.continuity import NO_NUMBER
from tickwire.exchanges.numbers import size_in_units

_THEIRS: dict[Channel, str] = {"ticker": "bbo-tbt", "orderbook": "books", "trade": "trades"}
# A ticker has all that the best bid and offer have; ``books`` is ``books-l2-tbt`` at a slower pace.
_OURS: dict[str, Channel] = {
    **{theirs: ours for ours, theirs in _THEIRS.items()}, "tickers": "ticker", "books-l2-tbt": "orderbook",
}  # fmt: skip
_CHANGE_SHAPE = (
    b'{"arg":{"channel":"books","instId":"$"},"action":"update","data":[{"asks":=a,"bids":=b,"ts":"#m","checksum":0,'
    b'"seqId":#l,"prevSeqId":#p}]}'
)
_DEPTH = 400  # levels a side of ``books``, and the most that REST gives
_UPGRADE = "64008"  # "The connection will soon be closed for a service upgrade"
_TOO_MANY = frozenset({"60014", "50011"})  # "Requests too frequent": says nothing about what was asked for
_NAMED = re.compile(r"channel:([\w-]+), ?instId:([\w-]+) doesn't exist")  # in the text of error 60018


class OkxAdapter(KitAdapter[EitherBook]):
    """One connection to the public endpoint. See :class:`~tickwire.exchanges.contract.AdapterContract`."""

    shapes: ClassVar[tuple[bytes, bytes, bytes] | None] = b"", _CHANGE_SHAPE, b""
    rule = Rule(PREVIOUS)
    most = 200  # subscriptions in one request, which may have 64 KB
    ping_text = b"ping"

    def receive(self, payload: bytes, received_us: Micros) -> list[Output]:
        """Translate one frame. Raises :exc:`~tickwire.errors.FrameRejected`.

        An unreadable change shows in the numbers of the next one; without numbers it leaves books in doubt.
        """
        if payload == b"pong":
            return []
        try:
            frame = decode(payload)
            if frame.event is not None:
                return self._event(frame)
            if frame.arg is not None and frame.arg.channel in _OURS:
                name = frame.arg.name
                if frame.arg.channel == "trades":
                    return self._executions(name, decode_trades(frame.data), received_us)
                if frame.arg.channel == "tickers":
                    return self._ticker(name, *decode_ticker(frame.data), received_us)
                (sides,) = decode_sides(frame.data)
                if frame.arg.channel == "bbo-tbt":
                    return self._best(name, sides, received_us)
                return self._change(name, sides, frame.action, received_us)
        except (*contract.UNREADABLE, ValueError) as e:
            for kept in self._books.values():
                if kept.update_id == NO_NUMBER and payload[:1] == b"{":
                    kept.doubt()
            raise malformed("frame", e) from None
        raise contract.unexpected(payload)

    def keep(self, symbol: Symbol) -> EitherBook:
        """Make a book, which starts with a snapshot over the socket or over REST.

        "``prevSeqId`` is the ``seqId`` of the last message"; a lower ``seqId`` means that the sequence restarted after
        maintenance, and equal ones without levels mean "no change".
        """
        fetch = Fetch(symbol, f"/api/v5/market/books?instId={quote(symbol.native)}&sz={_DEPTH}", 1, group="books")
        messages = self.messages(symbol)
        rules = chained, chained_on_snapshot, partial(checksum, symbol.contract_size)
        return EitherBook(messages, [fetch], read_snapshot, self.again, *rules, short_way=self.short_way)

    def write(self, method: Method, items: Sequence[Item], number: int | None) -> bytes:
        """A request for channels of instruments."""
        args = [{"channel": _THEIRS[channel], "instId": symbol.native} for channel, symbol in items]
        request = {"op": method, "args": args}
        return msgspec.json.encode(request if number is None else {"id": str(number)} | request)

    def _best(self, name: str | None, sides: Sides, received_us: Micros) -> list[Output]:
        symbol = self._tickers.get(name)
        size = "1" if symbol is None else symbol.contract_size
        best, number = (*first(sides.bids, size), *first(sides.asks, size)), None if sides.number < 0 else sides.number
        return self.ticker(name, *best, received_us, sequence=number, exchange_us=sides.ts * 1000)

    def _ticker(self, name: str | None, one: Ticker, received_us: Micros) -> list[Output]:
        symbol = self._tickers.get(name)
        size = "1" if symbol is None else symbol.contract_size
        bid_size, ask_size = (n and size_in_units(n, size) for n in (one.bid_size, one.ask_size))
        best, last = (one.bid or None, bid_size, one.ask or None, ask_size), one.last or None
        return self.ticker(name, *best, received_us, last=last, exchange_us=one.ts * 1000)

    def _executions(self, name: str | None, trades: Sequence[Trade], received_us: Micros) -> list[Output]:
        symbol, out = self._traded.get(name), list[Output]()
        for one in trades:
            if one.name != name:
                raise ValueError(f"a trade of {one.name!r:.40} on the channel of {name!r:.40}")
            size = one.size if symbol is None else size_in_units(one.size, symbol.contract_size)
            of_trade = name, one.trade_id, one.price, size, one.side
            out += self.trade(*of_trade, received_us, exchange_us=one.ts * 1000)
        return out

    def _change(self, name: str | None, sides: Sides, action: str | None, received_us: Micros) -> list[Output]:
        kept = self.kept(name)
        event = read_book(sides)
        if action == "update" and event.last == NO_NUMBER and kept.book is None:
            kept.restarting, out = True, []  # only a snapshot over the socket can start the book again
        elif action == "update":
            out = kept.change(event, received_us)
        elif action == "snapshot":
            out = kept.snapshot(event, received_us)
        else:
            raise ValueError(f"a book message of the action {action!r:.100}")
        return self.heard(kept, out) if kept.new else out

    def _event(self, frame: Frame) -> list[Output]:
        """Take a message without data."""
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
