"""What every exchange must do. The suite is made from the registry: a new exchange is in it by being there."""

import ast
import gc
import re
import weakref
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forms import FORMS, use
from recordings import FIXTURES, FRAMES, Replay, books, events_of, recordings, replay, written
from tickwire import exchanges
from tickwire.errors import FrameRejected
from tickwire.events.book import Book
from tickwire.events.types import OrderBook, Ticker, Trade
from tickwire.exchanges.contract import AdapterContract, Fetch, Send, Symbol
from tickwire.exchanges.kit import BookEvent


@pytest.fixture(params=FORMS, scope="module", autouse=True)
def form(request: pytest.FixtureRequest) -> Iterator[None]:
    with use(request.param):
        yield


each_exchange = pytest.mark.parametrize("name", exchanges.names())


def each(found: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("recording", found, ids=lambda p: f"{p.parent.name}-{p.name}")


each_recording = each(recordings())
each_with_books = each([r for r in recordings() if "orderbook" in Replay(r).channels])


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
    assert 0 < exchange.silence_s < exchange.subscription_silence_s
    assert exchange.ping_interval_s is None or 0 < exchange.ping_interval_s < exchange.silence_s
    assert exchange.symbols_per_connection > 0


@each_recording
def test_recorded_frames_become_exactly_the_stored_events(recording: Path) -> None:
    assert replay(recording) == events_of(recording).read_bytes().splitlines()


@each_recording
def test_members_that_an_exchange_adds_are_not_taken_for_fields_of_ours(recording: Path) -> None:
    """Wire types may build on an event of a book; what its own fields are called is nothing that an exchange says."""
    player = Replay(recording)
    sent = recording.read_text()
    added = "".join(f'"{name}":["x"],' for name in BookEvent.__struct_fields__ if f'"{name}\\"' not in sent)
    assert added
    for line in player.lines:
        line |= {key: re.sub(r'{(?=")', "{" + added, line[key]) for key in ("frame", "body") if key in line}
    assert written(player) == events_of(recording).read_bytes().splitlines()


@each_recording
def test_what_leaves_has_no_exponent_whatever_the_frame_has(recording: Path) -> None:
    """Text of Java's or Python's decimals has one below a millionth, and the schemas of our topics know none."""
    player = Replay(recording)
    for line in player.lines:
        for key in {"frame", "body"} & line.keys() - ({"frame"} if "b64" in line else set()):
            line[key] = re.sub(r'(?<=")[0-9]+[.][0-9]+(?=")', lambda found: f"{Decimal(found[0]):E}", line[key])
    assert [line for line in written(player) if re.search(rb'"[0-9.]+[Ee][-+]?[0-9]+"', line)] == []


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


def test_an_adapter_goes_with_its_books_when_its_connection_does() -> None:
    """Each connection has an adapter of its own: one that stays costs the memory of every book with each reconnect."""
    adapters = {}
    for recording in recordings():
        player = Replay(recording)
        assert list(player.outputs())
        adapters[recording] = weakref.ref(player.adapter)
    del player
    gc.collect()
    assert [recording.name for recording, adapter in adapters.items() if adapter() is not None] == []


@each_recording
@pytest.mark.parametrize("number", [987654, "101", "sub-orderbook-1", None])
def test_the_numbers_of_another_clients_requests_change_nothing_that_is_published(
    recording: Path, number: int | str | None
) -> None:
    """Recordings that others made are answers to what they asked, under numbers of theirs or none."""
    player = Replay(recording)
    for line in player.lines:
        if "frame" in line:
            line["frame"] = renumbered(line["frame"], number)
    assert published(player) == published(Replay(recording))


def renumbered(frame: str, number: int | str | None) -> str:
    """The frame with another number of a request, where it has one."""
    try:
        content = msgspec.json.decode(frame, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return frame
    for name in content.keys() & {"id", "req_id", "requestId"}:
        content[name] = msgspec.Raw(msgspec.json.encode(number))
    return msgspec.json.encode(content).decode()


def published(player: Replay) -> list[object]:
    """What is of the market."""
    return [output for _, output in player.outputs() if isinstance(output, Ticker | OrderBook | Trade)]


@each_exchange
def test_a_lost_frame_shows_in_the_ways_that_the_table_names(name: str) -> None:
    shown: set[str | None] = set()
    for recording in recordings():
        if recording.parent.name == name:
            known = broken(Replay(recording))
            for lost in range(len(Replay(recording).lines)):
                player = Replay(recording)
                del player.lines[lost]
                shown |= {message.reason for message in broken(player) if message not in known}
    checks = {"gap" if check == "sequence" else check for check in exchanges.load(name).EXCHANGE.checks}
    assert shown <= checks
    assert bool(shown) == bool(checks)


def broken(player: Replay) -> list[OrderBook]:
    """Every end of a book."""
    return [one for one in books(output for _, output in player.outputs()) if one.action == "invalid"]


@each_with_books
def test_a_restart_says_invalid_once_and_never_before_the_first_snapshot(recording: Path) -> None:
    player = Replay(recording)
    player.adapter.start()
    first = player.adapter.restart(player.symbols[0], "stale", 1)
    assert first
    assert not list(books(first))
    assert player.adapter.restart(Symbol("NO-NE", "NONE"), "stale", 1) == []


@each_exchange
def test_a_silent_book_is_taken_back_and_asked_for_anew(name: str) -> None:
    adapter, symbol = next(with_a_book(name))
    outputs = [*adapter.restart(symbol, "stale", 1), *adapter.resync(symbol)]
    assert len([one for one in outputs if isinstance(one, Send)]) >= 2  # a snapshot may be another question
    assert ("orderbook", symbol) in adapter.pending()


def with_a_book(name: str) -> Iterator[tuple[AdapterContract, Symbol]]:
    """Adapters that have read a recording of this exchange to its end, each with a symbol whose book is valid then."""
    for recording in recordings():
        if recording.parent.name == name and "orderbook" in Replay(recording).channels:
            player = Replay(recording)
            list(player.outputs())
            yield from ((player.adapter, one) for one in player.symbols if player.adapter.book(one) is not None)


@each_recording
def test_everything_asked_for_is_pending_and_is_taken_back_at_the_end(recording: Path) -> None:
    player = Replay(recording)
    assert player.adapter.start() or player.adapter.retry()  # some wait until they are spoken to
    assert len(player.adapter.stop()) >= 1
    assert set(player.adapter.pending()) == {(c, s) for c in player.channels for s in player.symbols}


POISON = [
    b"",
    b"null",
    b"[]",
    b"1",
    b'"text"',
    b"{}",
    b"NaN",
    b"\xff\xfe",
    b'{"x":"\xff"}',
    b"{" * 100_000,
    b"[" * 100_000,
    b'{"x":' * 100_000,
    b'{"x":' + b"9" * 100_000 + b"}",
]


@each_recording
def test_poison_is_rejected_and_the_adapter_goes_on(recording: Path) -> None:
    """Frames of no exchange, frames of this one cut in half, and its every key with a value that is too deep."""
    player = Replay(recording)
    halves = [
        {**line, "frame": text[: len(text) // 2]} for line, text in zip(player.lines, texts(recording), strict=True)
    ]
    deep = [b'{"%s":' % key.encode() + b"[" * 100_000 for key in vocabulary(recording)[0]]
    plain = [*POISON, *deep]
    packed = [player.packed(payload) for payload in plain]
    for payload in [*plain, *(packed if packed != plain else ()), *map(player.payload, halves)]:
        for _ in range(2):
            with pytest.raises(FrameRejected) as caught:
                player.adapter.receive(payload, 1)
            assert caught.value.reason in {"malformed", "unknown"}, payload[:40]
            assert len(str(caught.value)) < 400
    assert set(player.adapter.pending()) == {(c, s) for c in player.channels for s in player.symbols}


def texts(recording: Path) -> list[str]:
    """Every frame and body of a recording."""
    return [line["frame"] if "frame" in line else line["body"] for line in Replay(recording).lines]


def parts(document: Any) -> Iterator[tuple[str | None, Any]]:
    """Every key of a document with its value, and every value that has none."""
    if isinstance(document, dict):
        yield from document.items()
    for inner in document.values() if isinstance(document, dict) else document if isinstance(document, list) else ():
        yield None, inner
        yield from parts(inner)


@cache
def vocabulary(recording: Path) -> tuple[list[str], list[Any]]:
    """The keys of a recording's frames, and their scalar values."""
    found: list[tuple[str | None, Any]] = []
    for text in texts(recording):
        with suppress(msgspec.DecodeError):
            found += parts(msgspec.json.decode(text))
    values = {str(value): value for _, value in found if not isinstance(value, dict | list)}
    return sorted({key for key, _ in found if key is not None}), list(values.values())


@cache
def documents(recording: Path) -> st.SearchStrategy[Any]:
    """Documents of the exchange's own words."""
    keys, values = vocabulary(recording)
    scalars = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=8)
        | st.sampled_from([*values, "1.5", "NaN", "1e5"])
    )
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(keys), inner, max_size=8),
        max_leaves=24,
    )


def survive(player: Replay, payload: bytes) -> None:
    """Whatever arrives, nothing but FrameRejected may be raised."""
    for frame in (payload, player.packed(payload)):
        with suppress(FrameRejected):
            player.adapter.receive(frame, 1)
    for symbol in player.symbols:
        with suppress(FrameRejected):
            player.adapter.fetched(Fetch(symbol, "", 1), payload, 1)


@each_recording
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_bytes_or_json_only_ever_raise_frame_rejected(recording: Path, data: st.DataObject) -> None:
    player = Replay(recording)
    for _ in range(3):
        payload = data.draw(st.binary(max_size=64) | documents(recording).map(msgspec.json.encode))
        survive(player, payload)


@each_recording
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_spoiled_frames_never_break_the_rules_of_the_messages(recording: Path, data: st.DataObject) -> None:
    """Frames lost, doubled, cut, with other bytes and values: no delta without a valid book, no second invalid,
    and only decimal text as a price or size.
    """
    player = Replay(recording)
    player.lines = [line for line in player.lines for _ in range(data.draw(st.sampled_from([0, 1, 1, 1, 1, 2])))]
    for line in player.lines:
        if "frame" in line and data.draw(st.integers(0, 5)) == 0:
            line["frame"] = data.draw(spoiled(line["frame"]))
    player.lines = player.lines or [{"us": 1, "frame": "{}"}]
    valid: set[str] = set()
    outputs = [output for _, output in player.outputs()]
    for message in books(outputs):
        assert (message.action == "snapshot") or message.symbol in valid
        (valid.discard if message.action == "invalid" else valid.add)(message.symbol)
        assert all(DECIMAL.fullmatch(number) for level in [*message.bids, *message.asks] for number in level)
    for ticker in [output for output in outputs if isinstance(output, Ticker)]:
        numbers = (ticker.bid, ticker.bid_size, ticker.ask, ticker.ask_size, ticker.last)
        assert all(number is None or DECIMAL.fullmatch(number) for number in numbers)
    for trade in [output for output in outputs if isinstance(output, Trade)]:
        assert DECIMAL.fullmatch(trade.price)
        assert DECIMAL.fullmatch(trade.size)
        assert trade.side in {"buy", "sell"}
        assert trade.trade_id


DECIMAL = re.compile(r"-?(\d+\.?\d*|\.\d+)")  # as it was written: a spoiled number may have a sign, or no first digit
VALUE = re.compile(r'"(?:[^"\\]|\\.)*":?|-?\d[\d.eE+-]*|true|false|null')
OTHERS = ["null", "true", "{}", "[]", '[["1","2"]]', "-1", "9" * 20, "1e999999999", '"NaN"', '""', '"x"']


@st.composite
def spoiled(draw: Any, text: str) -> str:
    """A frame that lost its end or a character, has another one, or another value where it has one."""
    at = draw(st.integers(0, max(len(text) - 1, 0)))
    values = [found for found in VALUE.finditer(text) if not found[0].endswith(":")]
    value = draw(st.sampled_from(values)) if values else None
    other = text[: value.start()] + draw(st.sampled_from(OTHERS)) + text[value.end() :] if value else "{}"
    return draw(st.sampled_from([text[:at], text[:at] + text[at + 1 :], text[:at] + "9" + text[at + 1 :], other]))  # type: ignore[no-any-return]
