"""Frames of exchanges, made from a seed: documented shapes, with sequences and checksums by the exchanges' rules.

Binance: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
Kraken: https://docs.kraken.com/api/docs/websocket-v2/book, checksum https://docs.kraken.com/api/docs/guides/spot-ws-book-v2
"""

import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

SNAPSHOT_ID = 1000  # where every Binance book begins
_KRAKEN_DEPTH = 25
_CHECKED = 10


@dataclass(frozen=True, slots=True)
class Feed:
    """What the source serves: frames in order, what comes first on a connection, and bodies by path."""

    exchange: str
    symbols: Sequence[str]
    channel: str  # ticker, orderbook or trade
    first: list[bytes]  # sent at once, so that books begin; the rest follows after the bodies are fetched
    frames: list[bytes]
    bodies: dict[str, bytes]


def names(count: int, start: int = 0) -> list[str]:
    """Symbols as Binance writes them."""
    return [f"C{i:04d}USDT" for i in range(start, start + count)]


def text_frame(text: str) -> bytes:
    """One unmasked WebSocket text frame (RFC 6455, section 5.2)."""
    payload = text.encode()
    size = len(payload)
    if size < 126:
        head = bytes([0x81, size])
    elif size < 1 << 16:
        head = b"\x81\x7e" + struct.pack(">H", size)
    else:
        head = b"\x81\x7f" + struct.pack(">Q", size)
    return head + payload


def binance_tickers(count: int, listed: Sequence[str]) -> Feed:
    """*count* best bids and offers, the symbols in turn."""
    random, symbols = Random(1), len(listed)
    mids = [random.randint(10_000, 9_000_000) for _ in listed]
    frames = []
    for i in range(count):
        at = i % symbols
        mids[at] += random.randint(-2, 2)
        name, bid, ask = listed[at], _price(mids[at]), _price(mids[at] + 1)
        best = f'"b":"{bid}","B":"{_size(random)}","a":"{ask}","A":"{_size(random)}"'
        data = f'{{"u":{400_900_217 + i},"s":"{name}",{best}}}'
        frames.append(text_frame(f'{{"stream":"{name.lower()}@bookTicker","data":{data}}}'))
    return Feed("binance", listed, "ticker", [], frames, {"/api/v3/exchangeInfo": _listing(listed)})


def binance_deltas(count: int, listed: Sequence[str], levels: int = 1000) -> Feed:
    """*count* changes of five levels a side near the best price of books of *levels*, the symbols in turn."""
    random, symbols = Random(2), len(listed)
    middle = 5_000_000
    ids = [SNAPSHOT_ID] * symbols
    frames = []
    for i in range(count + symbols):
        at = i % symbols
        first, ids[at] = ids[at] + 1, ids[at] + random.randint(1, 8)
        name, time_ms = listed[at], 1_700_000_000_000 + i
        bids, asks = _changes(random, middle, -1), _changes(random, middle, 1)
        data = f'{{"e":"depthUpdate","E":{time_ms},"s":"{name}","U":{first},"u":{ids[at]},"b":[{bids}],"a":[{asks}]}}'
        frames.append(text_frame(f'{{"stream":"{name.lower()}@depth@100ms","data":{data}}}'))
    sides = [[[_price(middle + sign * k), "1.00000000"] for k in range(1, levels + 1)] for sign in (-1, 1)]
    body = json.dumps({"lastUpdateId": SNAPSHOT_ID, "bids": sides[0], "asks": sides[1]}, separators=(",", ":")).encode()
    bodies = {"/api/v3/exchangeInfo": _listing(listed)} | {f"/api/v3/depth?symbol={name}": body for name in listed}
    return Feed("binance", listed, "orderbook", frames[:symbols], frames[symbols:], bodies)


def binance_trades(count: int, listed: Sequence[str]) -> Feed:
    """*count* trades, the symbols in turn, each symbol's numbered without holes."""
    random, symbols = Random(5), len(listed)
    frames = []
    for i in range(count):
        name, time_ms, price = listed[i % symbols], 1_700_000_000_000 + i, _price(random.randint(10_000, 9_000_000))
        deal = f'"t":{4_730_112_880 + i // symbols},"p":"{price}","q":"{_size(random)}"'
        side = f'"m":{random.choice(("true", "false"))},"M":true'
        data = f'{{"e":"trade","E":{time_ms + 3},"s":"{name}",{deal},"T":{time_ms},{side}}}'
        frames.append(text_frame(f'{{"stream":"{name.lower()}@trade","data":{data}}}'))
    return Feed("binance", listed, "trade", [], frames, {"/api/v3/exchangeInfo": _listing(listed)})


def kraken_tickers(count: int, symbols: int) -> Feed:
    """*count* best bids and offers, the symbols in turn."""
    random, listed = Random(4), _kraken_names(symbols)
    frames = []
    for i in range(count):
        bid = 650_000 + random.randint(-50, 50)
        best = f'"bid":{bid / 10:.1f},"bid_qty":{_size(random)},"ask":{(bid + 1) / 10:.1f},"ask_qty":{_size(random)}'
        day = '"volume":997038.98383185,"vwap":65010.4,"low":64000.1,"high":66000.9,"change":-17.5,"change_pct":-0.17'
        symbol, seen = listed[i % symbols], f'"trades":{47_536 + i},"timestamp":"{_kraken_time(i)}"'
        data = f'{{"symbol":"{symbol}",{best},"last":{bid / 10:.1f},{day},{seen}}}'
        frames.append(text_frame(f'{{"channel":"ticker","type":"update","data":[{data}]}}'))
    return Feed("kraken", listed, "ticker", _kraken_answers("ticker", listed), frames, _kraken_listing(listed))


def kraken_deltas(count: int, symbols: int) -> Feed:
    """*count* changes of one to four levels with the checksum of the book after each; books are 25 levels deep."""
    random, listed = Random(3), _kraken_names(symbols)
    books = [_KrakenBook(random) for _ in listed]
    first = _kraken_answers("book", listed)
    first += [text_frame(book.snapshot(name)) for name, book in zip(listed, books, strict=True)]
    frames = [text_frame(books[i % symbols].update(listed[i % symbols], i)) for i in range(count)]
    return Feed("kraken", listed, "orderbook", first, frames, _kraken_listing(listed))


def _kraken_names(count: int) -> list[str]:
    return [f"C{i:04d}/USD" for i in range(count)]


def _kraken_answers(channel: str, listed: Sequence[str]) -> list[bytes]:
    return [
        text_frame(
            f'{{"method":"subscribe","result":{{"channel":"{channel}","symbol":"{name}","depth":25,"snapshot":true}},'
            '"success":true,"time_in":"2026-11-27T12:00:00.000000Z","time_out":"2026-11-27T12:00:00.000001Z"}'
        )
        for name in listed
    ]


def _kraken_listing(listed: Sequence[str]) -> dict[str, bytes]:
    pairs = {f"P{i}": {"wsname": name} for i, name in enumerate(listed)}
    return {"/0/public/AssetPairs": json.dumps({"error": [], "result": pairs}).encode()}


def _kraken_time(number: int) -> str:
    return f"2026-11-27T12:{number // 60_000_000 % 60:02d}:{number // 1_000_000 % 60:02d}.{number % 1_000_000:06d}Z"


class _KrakenBook:
    """Prices in tenths, sizes in units of 10^-8, each side by price."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._sides = [{650_000 + sign * k: self._lots() for k in range(1, _KRAKEN_DEPTH + 1)} for sign in (-1, 1)]

    def snapshot(self, name: str) -> str:
        return self._message("snapshot", name, self._best(0), self._best(1), 0)

    def update(self, name: str, number: int) -> str:
        changed: list[list[tuple[int, int]]] = [[], []]
        for _ in range(self._random.randint(1, 4)):
            side = self._random.randint(0, 1)
            sign = 1 if side else -1
            price = 650_000 + sign * self._random.randint(1, _KRAKEN_DEPTH + 5)
            lots = 0 if price in self._sides[side] and self._random.random() < 0.3 else self._lots()
            if lots:
                self._sides[side][price] = lots
            else:
                del self._sides[side][price]
            changed[side] = [*[c for c in changed[side] if c[0] != price], (price, lots)]
        for side in (0, 1):
            self._sides[side] = dict(self._best(side)[:_KRAKEN_DEPTH])
        return self._message("update", name, changed[0], changed[1], number)

    def _lots(self) -> int:
        return self._random.randint(1, 500_000_000)

    def _best(self, side: int) -> list[tuple[int, int]]:
        return sorted(self._sides[side].items(), reverse=not side)

    def _message(
        self, kind: str, name: str, bids: list[tuple[int, int]], asks: list[tuple[int, int]], number: int
    ) -> str:
        digits = "".join(f"{price}{lots}" for side in (1, 0) for price, lots in self._best(side)[:_CHECKED])
        sides = [",".join(f'{{"price":{p // 10}.{p % 10},"qty":{q // 10**8}.{q % 10**8:08d}}}' for p, q in levels)
                 for levels in (bids, asks)]  # fmt: skip
        return (
            f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{name}","bids":[{sides[0]}],"asks":[{sides[1]}],'
            f'"checksum":{zlib.crc32(digits.encode())},"timestamp":"{_kraken_time(number)}"}}]}}'
        )


def chunks(frames: Sequence[bytes], size: int) -> Iterator[bytes]:
    """The frames in pieces of about *size* bytes, for few system calls."""
    piece = bytearray()
    for frame in frames:
        piece += frame
        if len(piece) >= size:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def _price(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100:02d}000000"


def _size(random: Random) -> str:
    return f"{random.randint(0, 9)}.{random.randint(1, 99_999):05d}000"


def _changes(random: Random, middle: int, sign: int) -> str:
    at, levels = 0, []
    for _ in range(5):
        at += random.randint(1, 6)
        size = "0.00000000" if random.random() < 0.25 else _size(random)
        levels.append(f'["{_price(middle + sign * at)}","{size}"]')
    return ",".join(levels)


def _listing(listed: Sequence[str]) -> bytes:
    return json.dumps(
        {"symbols": [{"symbol": n, "baseAsset": n[:-4], "quoteAsset": "USDT", "status": "TRADING"} for n in listed]}
    ).encode()
