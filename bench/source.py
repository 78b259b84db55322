"""The exchange of a benchmark: serves prepared frames to one reader as fast as that takes them, or at a rate.

``python -m bench.source PORT SPEC`` prints ``ready`` when it listens, and at the end one JSON line about itself.
"""

import base64
import hashlib
import json
import socket
import sys
import threading
import time
from urllib.parse import parse_qs, urlsplit

from bench import frames
from bench.frames import Feed

_CHUNK = 256 * 1024
_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


class Source:
    """One feed on one port; HTTP and WebSocket."""

    def __init__(self, feed: Feed, rate: int) -> None:
        self._feed, self._rate = feed, rate
        self._wanted = sum("depth" in path for path in feed.bodies)
        self._fetched = threading.Event()
        self.sent: list[tuple[int, int]] = []  # frame's number and when it was sent, of a paced run
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
        symbol = parse_qs(url.query).get("symbol")
        body = self._feed.bodies[url.path + (f"?symbol={symbol[0]}" if symbol else "")]
        peer.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        if symbol:
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
        threading.Thread(target=_read_to_the_end, args=(peer, gone), daemon=True).start()
        peer.sendall(b"".join(self._feed.first))
        self._fetched.wait(120)
        begin, cpu = time.monotonic(), time.process_time()
        if self._rate:
            self._send_paced(peer)
        else:
            for piece in frames.chunks(self._feed.frames, _CHUNK):
                peer.sendall(piece)
        self.seconds, self.cpu_seconds = time.monotonic() - begin, time.process_time() - cpu
        gone.wait()

    def _send_paced(self, peer: socket.socket) -> None:
        begin = time.monotonic_ns()
        at = 0
        while at < len(self._feed.frames):
            due = min(len(self._feed.frames), (time.monotonic_ns() - begin) * self._rate // 10**9 + 1)
            if due > at:
                self.sent.append((at, time.monotonic_ns()))
                peer.sendall(b"".join(self._feed.frames[at:due]))
                at = due
            time.sleep(0.0002)


def _read_head(peer: socket.socket) -> str | None:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        more = peer.recv(65536)
        if not more:
            return None
        head += more
    return head.decode()


def _read_to_the_end(peer: socket.socket, gone: threading.Event) -> None:
    try:
        while peer.recv(65536):
            pass
    except OSError:
        pass
    gone.set()


def make(spec: dict[str, int | str]) -> Feed:
    """The feed of a specification: ``kind``, ``count``, ``symbols`` and perhaps ``levels``."""
    count, symbols = int(spec["count"]), int(spec["symbols"])
    if spec["kind"] == "tickers":
        return frames.binance_tickers(count, symbols)
    if spec["kind"] == "kraken":
        return frames.kraken_deltas(count, symbols)
    return frames.binance_deltas(count, symbols, int(spec.get("levels", 1000)))


def main() -> None:
    """Serve as the arguments say."""
    spec = json.loads(sys.argv[2])
    source = Source(make(spec), int(spec.get("rate", 0)))
    source.serve(int(sys.argv[1]))
    print(json.dumps({"seconds": source.seconds, "cpu_seconds": source.cpu_seconds, "sent": source.sent}), flush=True)


if __name__ == "__main__":
    main()
