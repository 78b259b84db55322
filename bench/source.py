"""The exchange of a benchmark: serves prepared frames to one reader as fast as possible, or at a fixed rate.

``python -m bench.source PORT SPEC`` prints ``ready`` when it listens, and at the end one JSON line about itself.
"""

import base64
import hashlib
import itertools
import json
import os
import pickle
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qs, urlsplit

from bench import frames
from bench.frames import Feed

FOLDER = "TICKWIRE_BENCH_FRAMES"  # cached feeds
_CHUNK = 256 * 1024
_CHEAP = 100  # levels on each side of a book's first snapshot
_ONE_CONNECTION = 200  # symbols; with more, the reader may have several connections, and each gets its own symbols
_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


class Source:
    """One feed on one port; HTTP and WebSocket."""

    def __init__(self, feed: Feed, rate: int, repeat: int) -> None:
        self._feed, self._rate, self._repeat = feed, rate, repeat
        self._wanted = sum("depth" in path for path in feed.bodies)
        self._begun = {name: number for name, number in map(_of_change, feed.first) if name}
        self._fetched = threading.Event()
        self._routed = len(feed.symbols) > _ONE_CONNECTION
        self._missing = set(feed.symbols)
        self._subscribed = threading.Event()
        self.sent: list[tuple[int, int]] = []  # number and sending time of frames, in a paced run
        self.seconds = self.cpu_seconds = 0.0
        if not self._wanted:
            self._fetched.set()

    def serve(self, port: int) -> None:
        """Serve until the reader of the WebSocket hangs up."""
        listening = socket.create_server(("127.0.0.1", port))
        print("ready", flush=True)
        done = threading.Event()
        threading.Thread(target=self._accept, args=(listening, done), daemon=True).start()
        done.wait()

    def _accept(self, listening: socket.socket, done: threading.Event) -> None:
        while True:
            peer, _ = listening.accept()
            # Else a small piece waits 40 ms for the reader's delayed acknowledgement, and that would be measured.
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._talk, args=(peer, done), daemon=True).start()

    def _talk(self, peer: socket.socket, done: threading.Event) -> None:
        with peer:
            while (head := _read_head(peer)) is not None:
                if "upgrade: websocket" in head.lower():
                    self._stream(peer, head)
                    done.set()
                    return
                self._answer(peer, head.split(" ", 2)[1])

    def _answer(self, peer: socket.socket, target: str) -> None:
        url = urlsplit(target)
        query = parse_qs(url.query)
        symbol, limit = query.get("symbol"), int(query.get("limit", ["0"])[0])
        body = self._feed.bodies[url.path + (f"?symbol={symbol[0]}" if symbol else "")]
        more = 0 < limit <= _CHEAP and body.count(b'["') >= 2 * limit  # will be asked for
        if symbol and limit > _CHEAP:  # by a book that has taken the first change by then
            body = body.replace(b"%d" % frames.SNAPSHOT_ID, self._begun[symbol[0]])
        peer.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        if symbol and not more:
            self._wanted -= 1
            if not self._wanted:
                self._fetched.set()

    def _stream(self, peer: socket.socket, head: str) -> None:
        key = next(
            line.split(":", 1)[1].strip() for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key")
        )
        accept = base64.b64encode(hashlib.sha1((key + _MAGIC).encode()).digest()).decode()  # noqa: S324 - RFC 6455
        peer.sendall(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        gone = threading.Event()
        mine: set[str] = set()
        threading.Thread(target=self._listen, args=(peer, mine, gone), daemon=True).start()
        first, later = self._feed.first, self._feed.frames
        if self._routed:
            self._subscribed.wait(120)
            first, later = self._only(first, mine), self._only(later, mine)
        peer.sendall(b"".join(first))
        self._fetched.wait(120)
        begin, cpu = time.monotonic(), time.process_time()
        if self._rate:
            self._send_paced(peer, later)
        else:
            pieces = list(frames.chunks(later, _CHUNK))
            for _ in range(self._repeat):
                for piece in pieces:
                    peer.sendall(piece)
        self.seconds, self.cpu_seconds = time.monotonic() - begin, time.process_time() - cpu
        gone.wait()

    def _only(self, of_all: list[bytes], mine: set[str]) -> list[bytes]:
        symbols = self._feed.symbols
        return [frame for i, frame in enumerate(of_all) if symbols[i % len(symbols)] in mine]

    def _listen(self, peer: socket.socket, mine: set[str], gone: threading.Event) -> None:
        """Note what is subscribed to, until the reader hangs up."""
        try:
            for text in _texts(peer.makefile("rb")):
                asked = json.loads(text).get("params", ())
                if isinstance(asked, dict):
                    mine.update(asked["symbol"])
                else:
                    mine.update(stream.partition("@")[0].upper() for stream in asked)
                self._missing -= mine
                if not self._missing:
                    self._subscribed.set()
        except OSError:
            pass
        gone.set()

    def _send_paced(self, peer: socket.socket, ours: list[bytes]) -> None:
        """Send the frames of this connection at its share of the rate."""
        rate = self._rate * len(ours) // len(self._feed.frames)
        begin = time.monotonic_ns()
        at = 0
        while at < len(ours):
            due = min(len(ours), (time.monotonic_ns() - begin) * rate // 10**9 + 1)
            if due > at:
                self.sent.append((at, time.monotonic_ns()))
                peer.sendall(b"".join(ours[at:due]))
                at = due
            time.sleep(0.0002)


def _of_change(frame: bytes) -> tuple[str, bytes]:
    """The symbol and the last number of a change of Binance's; nothing of other frames."""
    found = re.search(rb'"depthUpdate".*"s":"(\w+)".*"u":(\d+)', frame)
    return (found[1].decode(), found[2]) if found else ("", b"")


def _read_head(peer: socket.socket) -> str | None:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        more = peer.recv(65536)
        if not more:
            return None
        head += more
    return head.decode()


def _texts(stream: BinaryIO) -> Iterator[bytes]:
    """The text frames of a client, which are masked (RFC 6455, section 5.2)."""
    while len(head := stream.read(2)) == 2:
        size = head[1] & 127
        if size > 125:
            size = int.from_bytes(stream.read(2 if size == 126 else 8), "big")
        mask = stream.read(4)
        payload = bytes(byte ^ of for byte, of in zip(stream.read(size), itertools.cycle(mask), strict=False))
        if head[0] & 15 == 1:
            yield payload


def make(spec: dict[str, int | str]) -> Feed:
    """The feed of a specification: ``kind``, ``count``, ``symbols``, and perhaps ``start`` and ``levels``."""
    count, symbols = int(spec["count"]), int(spec["symbols"])
    if spec["kind"] == "kraken-tickers":
        return frames.kraken_tickers(count, symbols)
    if spec["kind"] == "kraken-deltas":
        return frames.kraken_deltas(count, symbols)
    listed = frames.names(symbols, int(spec.get("start", 0)))
    if spec["kind"] == "tickers":
        return frames.binance_tickers(count, listed)
    return frames.binance_deltas(count, listed, int(spec.get("levels", 1000)))


def _made_once(spec: dict[str, int | str]) -> Feed:
    """The feed, from the cache folder if there is one, because making a feed takes as long as serving it."""
    folder = os.environ.get(FOLDER)
    if folder is None:
        return make(spec)
    path = Path(folder, "-".join(str(spec.get(key)) for key in ("kind", "count", "symbols", "start", "levels")))
    if not path.exists():
        path.write_bytes(pickle.dumps(make(spec)))
    feed: Feed = pickle.loads(path.read_bytes())  # noqa: S301 - our own
    return feed


def main() -> None:
    """Serve the feed that the arguments specify."""
    spec = json.loads(sys.argv[2])
    source = Source(_made_once(spec), int(spec.get("rate", 0)), int(spec.get("repeat", 1)))
    source.serve(int(sys.argv[1]))
    print(json.dumps({"seconds": source.seconds, "cpu_seconds": source.cpu_seconds, "sent": source.sent}), flush=True)


if __name__ == "__main__":
    main()
