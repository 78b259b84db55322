"""What every exchange must do. The suite is made from the registry: a new exchange is in it by being there."""

import ast
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forms import FORMS, use
from recordings import FIXTURES, FRAMES, Replay, books, events_of, recordings, replay
from tickwire import exchanges
from tickwire.errors import FrameRejected
from tickwire.events.book import Book
from tickwire.exchanges.contract import Fetch, Symbol


@pytest.fixture(params=FORMS, scope="module", autouse=True)
def form(request: pytest.FixtureRequest) -> Iterator[None]:
    with use(request.param):
        yield


SYMBOLS = [Symbol("BTC-USDT", "BTCUSDT"), Symbol("BTC-USD", "BTC/USD")]
each_exchange = pytest.mark.parametrize("name", exchanges.names())
each_recording = pytest.mark.parametrize("recording", recordings(), ids=lambda p: f"{p.parent.name}-{p.name}")


def test_every_exchange_is_recorded_and_every_recording_has_its_exchange() -> None:
    assert {folder.name for folder in FIXTURES.iterdir() if folder.is_dir()} == set(exchanges.names())
    assert {recording.parent.name for recording in recordings()} == set(exchanges.names())


def test_frames_and_events_stand_in_pairs() -> None:
    assert sorted(FIXTURES.glob("*/*.events.jsonl")) == sorted(map(events_of, recordings()))


@each_exchange
def test_fixtures_say_where_they_come_from(name: str) -> None:
    text = (FIXTURES / name / "README.md").read_text()
    assert "https://" in text
    assert "20" in text
    for recording in (FIXTURES / name).glob(f"*{FRAMES}"):
        assert f"`{recording.name.removesuffix(FRAMES)}`" in text


@each_exchange
def test_the_module_begins_with_its_documentation(name: str) -> None:
    source = Path(str(exchanges.load(name).__file__)).read_text()  # type: ignore[attr-defined]
    assert "https://" in (ast.get_docstring(ast.parse(source)) or "")


@each_exchange
def test_the_table_of_limits_fits_together(name: str) -> None:
    exchange = exchanges.load(name).EXCHANGE
    assert exchange.name == name
    assert exchange.ws_url.startswith("wss://")
    assert exchange.rest_url.startswith("https://")
    assert all(path.startswith("/") for path in exchange.listing_paths)
    assert 0 < exchange.ping_interval_s < exchange.silence_s < exchange.subscription_silence_s
    assert exchange.symbols_per_connection > 0


@each_recording
def test_recorded_frames_become_exactly_the_stored_events(recording: Path) -> None:
    assert replay(recording) == events_of(recording).read_bytes().splitlines()


@each_recording
def test_a_reader_that_applies_the_messages_has_the_adapters_book(recording: Path) -> None:
    """Snapshot plus deltas is the book after every message, and nothing lies between invalid and snapshot."""
    player = Replay(recording)
    by_name = {symbol.canonical: symbol for symbol in player.symbols}
    readers: dict[str, Book] = {}
    for message in books(output for _, output in player.outputs()):
        if message.action == "snapshot":
            assert message.reason in {"initial", "resync"}
            readers[message.symbol] = Book(message.bids, message.asks)
        elif message.action == "delta":
            readers[message.symbol].apply(message.bids, message.asks)
        else:
            del readers[message.symbol]
    for name, reader in readers.items():
        book = player.adapter.book(by_name[name])
        assert book is not None
        assert (reader.bids.top(), reader.asks.top()) == (book.bids.top(), book.asks.top())


@each_exchange
def test_a_restart_says_invalid_once_and_never_before_the_first_snapshot(name: str) -> None:
    adapter = exchanges.load(name).Adapter(SYMBOLS, ["orderbook"], 25)
    adapter.start()
    first = adapter.restart(SYMBOLS[0], "stale", 1)
    assert first
    assert not list(books(first))
    assert adapter.restart(Symbol("NO-NE", "NONE"), "stale", 1) == []


@each_exchange
def test_everything_asked_for_is_pending_and_is_taken_back_at_the_end(name: str) -> None:
    adapter = exchanges.load(name).Adapter(SYMBOLS, ["ticker", "orderbook"], 25)
    assert len(adapter.start()) >= 1
    assert len(adapter.stop()) >= 1
    assert set(adapter.pending()) == {(c, s) for c in ("ticker", "orderbook") for s in SYMBOLS}


POISON = [
    b"",
    b"null",
    b"[]",
    b"1",
    b'"text"',
    b"{}",
    b"NaN",
    b"\xff\xfe",
    b'{"channel":"\xff"}',
    b"{" * 100_000,
    b"[" * 100_000,
    b'{"x":' * 100_000,
    b'{"data":{"x":' + b"[" * 100_000,
    b'{"id":' + b"9" * 100_000 + b"}",
    b'{"e":"depthUpdate"}',
    b'{"channel":"book","type":"update","data":[]}',
    b'{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[{"price":1e999999999,"qty":1}]}]}',
    b'{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":{},"bid_qty":[],"ask":true}]}',
    b'{"s":"BTCUSDT","u":1,"b":[["1","2"]],"B":"1","a":"2","A":"1"}',
    b'{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":-1,"u":1,"b":[],"a":[]}',
    b'{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":99999999999999999999,"b":[],"a":[]}',
    b'{"error":{"code":"x"},"id":[]}',
]


@each_exchange
@pytest.mark.parametrize("payload", POISON, ids=lambda p: repr(p[:40]))
def test_poison_is_rejected_and_the_adapter_goes_on(name: str, payload: bytes) -> None:
    adapter = exchanges.load(name).Adapter(SYMBOLS, ["ticker", "orderbook"], 25)
    for _ in range(2):
        with pytest.raises(FrameRejected) as caught:
            adapter.receive(payload, 1)
        assert caught.value.reason in {"malformed", "unknown"}
        assert len(str(caught.value)) < 400
    assert len(adapter.pending()) == 4


keys = st.sampled_from(
    ["e", "E", "s", "U", "u", "b", "B", "a", "A", "stream", "data", "id", "error", "code", "msg", "result", "channel",
     "type", "method", "success", "symbol", "bids", "asks", "price", "qty", "checksum", "timestamp", "bid", "depth"]
)  # fmt: skip
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(
        ["BTCUSDT", "BTC/USD", "depthUpdate", "book", "ticker", "update", "snapshot", "1.5", "NaN", "1e5"]
    )
)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=8), max_leaves=24
)
each_fuzz = pytest.mark.parametrize("recording", [r for r in recordings() if "refused" not in r.name], ids=str)


def survive(player: Replay, payload: bytes) -> None:
    """Whatever arrives, nothing but FrameRejected may be raised."""
    with suppress(FrameRejected):
        player.adapter.receive(payload, 1)
    for symbol in player.symbols:
        with suppress(FrameRejected):
            player.adapter.fetched(Fetch(symbol, "", 1), payload, 1)


@each_fuzz
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_bytes_or_json_only_ever_raise_frame_rejected(recording: Path, data: st.DataObject) -> None:
    player = Replay(recording)
    for _ in range(3):
        payload = data.draw(st.binary(max_size=64) | documents.map(msgspec.json.encode))
        survive(player, payload)


@each_fuzz
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_spoiled_frames_never_break_the_rules_of_the_messages(recording: Path, data: st.DataObject) -> None:
    """Frames lost, doubled, cut and with flipped bytes: no delta without a valid book, no second invalid."""
    player = Replay(recording)
    player.lines = [line for line in player.lines for _ in range(data.draw(st.sampled_from([0, 1, 1, 1, 1, 2])))]
    for line in player.lines:
        if "frame" in line and data.draw(st.integers(0, 5)) == 0:
            line["frame"] = data.draw(spoiled(line["frame"]))
    player.lines = player.lines or [{"us": 1, "frame": "{}"}]
    valid: set[str] = set()
    for message in books(output for _, output in player.outputs()):
        assert (message.action == "snapshot") or message.symbol in valid
        (valid.discard if message.action == "invalid" else valid.add)(message.symbol)


@st.composite
def spoiled(draw: Any, text: str) -> str:
    at = draw(st.integers(0, max(len(text) - 1, 0)))
    return draw(st.sampled_from([text[:at], text[:at] + text[at + 1 :], text[:at] + "9" + text[at + 1 :]]))  # type: ignore[no-any-return]
