"""Books followed by compiled code end as the Python form has them, whatever stands in the topic."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any
from unittest.mock import patch

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from forms import FORMS
from record_support import BOOK
from registry_support import avro, with_field
from tickwire.errors import RecordRejected
from tickwire.events.types import Action, Level, OrderBook
from tickwire.kafka.consuming import market_state
from tickwire.kafka.consuming.market_state import MarketState
from tickwire.kafka.received import ReceivedRecord
from tickwire.records.codec import RecordWriter
from tickwire.records.formats import CONTENT_TYPES, ValueReader, value_format
from tickwire.records.formats.framing import WriterSchema
from tickwire.registry_errors import RegistryFailed, SchemaSwapped
from tickwire.schemas import schema_text

# What the registry has; a reader with the third makes events by the writer's schema, and the last one is of no books.
SCHEMAS = {
    1: WriterSchema("avro", schema_text("orderbook", "avro")),
    2: WriterSchema("protobuf", schema_text("orderbook", "protobuf")),
    3: avro("orderbook", with_field(name="venue", type=["null", "string"], default=None)),
    4: WriterSchema("avro", schema_text("trade", "avro")),
}
FORMATS = ("json", "avro", "protobuf")
WRITERS = {
    name: RecordWriter({"orderbook": "books"}, {"orderbook": value_format(name, "orderbook", number)})
    for number, name in enumerate(FORMATS)
}
HEADERS = {name: (("content-type", CONTENT_TYPES[name]), ("schema", b"orderbook/2")) for name in FORMATS}
# What a header, a price or a size may be that is not as we write it.
HEADERS_OF_OTHERS = (
    (),
    (("schema", b"orderbook/1"),),
    (("schema", b"orderbook/3"),),
    (("schema", None),),
    *((("content-type", said),) for said in CONTENT_TYPES.values()),
    (*HEADERS["avro"], ("content-type", b"application/json")),
    (("content-type", b"text/plain"), ("schema", b"orderbook/2")),
    (("schema", b"orderbook/2\0"),),
    (("schema", b"trade/1"),),
    *((("trace", b"1"), *headers) for headers in HEADERS.values()),
)
NUMBERS = ("1e1", "01.0", "-1", "0", "", "1.", ".5", "1\u0661", "9" * 15, "1." + "0" * 25, "10.50", "nan", "1_0")

SIZES = ("0", "1", "2.50", "0.000", "123456789.000000000001", "3", "4")


@dataclass
class Place:
    """What stands at one offset: a message, what is done to its bytes, its key and its headers, and its partition."""

    message: OrderBook
    format: str = "json"
    replaced: tuple[bytes, bytes] = (b"", b"")
    headers: Any = None
    key: bytes | None = None
    partition: int = 0
    unreadable: str | None = None
    back: int = 0  # how many offsets it was delivered before

    def record(self, offset: int, reader: ValueReader) -> ReceivedRecord:
        written = WRITERS[self.format].write(self.message)
        value = written.value.replace(*self.replaced, 1 if self.format != "json" else -1)
        key = written.key if self.key is None else self.key
        headers = HEADERS[self.format] if self.headers is None else self.headers
        at = max(0, offset - self.back)
        return ReceivedRecord("books", self.partition, at, key, value, headers, None, self.unreadable, reader)


def spoil(name: str, *values: Any) -> list[Callable[[Place], None]]:
    return [lambda place, value=value: setattr(place, name, value) for value in values]  # type: ignore[misc]


def spoil_text(text: bytes, *others: bytes) -> list[Callable[[Place], None]]:
    return spoil("replaced", *((text, other) for other in others))


def spoil_message(name: str, *values: Any) -> list[Callable[[Place], None]]:
    return [lambda place, value=value: setattr(place.message, name, value) for value in values]  # type: ignore[misc]


def spell(number: str, others: Sequence[str]) -> list[Callable[[Place], None]]:
    """Write a price or a size in other ways."""

    def write(place: Place, other: str) -> None:
        def side(levels: list[Level]) -> list[Level]:
            return [(price.replace(number, other), size.replace(number, other)) for price, size in levels]

        place.message.bids, place.message.asks = side(place.message.bids), side(place.message.asks)

    return [lambda place, other=other: write(place, other) for other in others]  # type: ignore[misc]


SPOILS = [
    spoil("key", b"", b"kraken|BTC-EUR", b"kraken BTC-USD", b"kraken|BTC-USD|"),
    spoil("headers", *HEADERS_OF_OTHERS, list(HEADERS["json"])),
    spoil("partition", 1),
    spoil("unreadable", "its headers cannot be read"),
    spoil("back", 1, 2, 3),
    spell("2.50", NUMBERS),
    spell("9.50", NUMBERS),
    spoil_message("reason", "x", ""),
    spoil_message("exchange_symbol", "\u00c4\u6f22", ""),
    spoil_message("symbol", "\u00c4\u6f22"),
    spoil_text(b"XBT/USD", b"XBT/US\xff"),
    spoil_text(b"\0\0\0\0\1", b"\0\0\0\0\2", b"\0\0\0\0\3", b"\0\0\0\0\4", b"\1\0\0\0\1"),
    spoil_text(b"\0\0\0\0\2\0", b"\0\0\0\0\1", b"\0\0\0\0\2\2\0", b"\0\0\0\0\2\2\2", b"\0\0\0\0\4", b"\0\0\0\0\2\1"),
    spoil_text(b"\0\0\0\0", b"", b"\0\0\0\0\0"),
    spoil_text(b"1.50", b'2"'),
    spoil_text(b',"', b' ,"'),
    spoil_text(b"null", b'"x"', b"0", b"-0", b"01", b"1.0"),
    spoil_text(b"delta", b"d", b"invalid"),
    spoil_text(b'","', b'","x","', b'"],["'),
    spoil_text(b'"],["', b'","1"],["', b'"] ,["', b'"]["'),
    spoil_text(b'"2.50"', b"2.50", b'["2.50"]', b'"2.50","3"'),
    spoil_text(b'{"type":"orderbook"', b"", b"\0\0\0\0\1", b'{"type":"ticker"', b"[", b"\xef\xbb\xbf{"),
    spoil_text(b"}", b"", b"}}", b"} ", b',"more":1}'),
    [lambda place: place.message.bids.reverse(), lambda place: place.message.asks.reverse()],
]


def message(random: Random, symbol: str, action: Action) -> OrderBook:
    def side(prices: list[int]) -> list[tuple[str, str]]:
        return [(f"{price}.50", random.choice(SIZES)) for price in prices]

    count = 0 if action == "invalid" else random.choice([0, 1, 3, 3, 10, 40])
    return OrderBook(
        action=action,
        exchange="kraken",
        symbol=symbol,
        exchange_symbol="XBT/USD",
        depth=random.choice([10, None]),
        bids=side(sorted(random.sample(range(1, 60), count), reverse=True)),
        asks=side(sorted(random.sample(range(1, 60), count))),
        reason=None if action == "delta" else "gap",
        sequence=random.choice([None, None, 0, 7, 7, 7, 8, 8, 2**62, -3]),
        exchange_us=random.choice([None, 1_700_000_000_000_000]),
        received_us=1_700_000_000_000_001,
    )


def topic_of(seed: int, length: int, form: str | None = None) -> list[Place]:
    """Mostly plain changes of two books; gaps, repetitions, other epochs, and what cannot be read in between.

    All in one format, or in any.

    Drawn from a seed, as most of what hypothesis draws of so much is too short to have a change that is next.
    """
    random, places = Random(seed), list[Place]()
    numbers = {"BTC-USD": (5, -1), "ETH-USD": (5, -1)}
    for _ in range(length):
        symbol = random.choice([*numbers])
        epoch, seq = numbers[symbol]
        what = random.random()
        if seq >= 0 and what < 0.04:
            others = [
                (epoch, seq + 1),
                (epoch, seq - 1),
                (epoch, seq - 2),
                (epoch, -2),
                (epoch + 1, -1),
                (epoch + 2, 0),
            ]
            epoch, seq = random.choice([*others, (epoch - 1, seq), (epoch - 1, -1), (epoch + 2**63, -1), (-1, seq)])
        action: Action = "snapshot" if seq < 0 or what > 0.85 else "invalid" if what > 0.82 else "delta"
        place = Place(message(random, symbol, action), form or random.choice(FORMATS))
        place.message.epoch = epoch if place.format == "json" else min(epoch, 2**63 - 1)
        place.message.book_seq = seq + 1
        if epoch < 2**62 and (what >= 0.04 or random.random() < 0.5):  # else it is somebody else's
            numbers[symbol] = epoch, seq + 1
        if random.random() < 0.15:
            random.choice(random.choice(SPOILS))(place)
        places.append(place)
    return places


def schema_of(number: int) -> WriterSchema:
    return SCHEMAS.get(number, SCHEMAS[4])


def records_of(topic: Sequence[Place]) -> list[ReceivedRecord]:
    reader = ValueReader(schema_of)
    return [place.record(offset, reader) for offset, place in enumerate(topic)]


topics = st.builds(topic_of, st.integers(0, 2**32), st.integers(1, 60), st.none() | st.sampled_from(FORMATS))


def after(records: Sequence[ReceivedRecord], *, together: bool) -> dict[str, Any]:
    """What a state knows after these records, and which of them it refused, and why."""
    state, refused, at = MarketState(), [], 0
    for record in records if together else ():
        with suppress(RegistryFailed):
            record.prepare()
    while at < len(records):
        if together:
            at = state.follow(records, at, len(records))
        if at == len(records):
            break
        record, at = records[at], at + 1
        try:
            if record.unreadable is None:  # no handler sees the others
                state(record)
        except (RecordRejected, RegistryFailed) as e:
            refused.append((record.offset, str(e)))
    names = [
        "partition",
        "offset",
        "epoch",
        "last_seq",
        "whole",
        "overtaken",
        "depth",
        "sequence",
        "reason",
        "older_epoch",
    ]
    books = {key: [getattr(book, name) for name in names] for key, book in state.books.items()}
    return state.report() | {"refused": refused, "all": books}


def follow_nothing(_books: object, _records: object, at: int, _end: int) -> int:
    return at


@pytest.mark.skipif("compiled" not in FORMS, reason="needs the compiled form")
@given(topic=topics)
def test_any_topic_ends_in_the_same_books_refusals_and_counts(topic: list[Place]) -> None:
    with patch.object(market_state, "follow", follow_nothing):
        expected = after(records_of(topic), together=False)
    assert after(records_of(topic), together=True) == expected
    assert after(records_of(topic), together=False) == expected


@pytest.mark.skipif("compiled" not in FORMS, reason="needs the compiled form")
@given(topic=topics, seed=st.integers(0, 2**32))
def test_values_that_are_damaged_end_the_same(topic: list[Place], seed: int) -> None:
    random = Random(seed)
    records = records_of(topic)
    for record in records[2:]:
        if record.value and random.random() < 0.1:
            value, at = bytearray(record.value), random.randrange(len(record.value))
            value[at : at + random.randrange(3)] = random.choice(
                [b"", b"0", b"9", b'"', b",", b"[", b"]", b"\0", b"\1", b"\x80", b"\xff"]
            )
            record.value = bytes(value)
    with patch.object(market_state, "follow", follow_nothing):
        expected = after(records, together=False)
    for record in records:
        record._event = None
    assert after(records, together=True) == expected


@pytest.mark.skipif("compiled" not in FORMS, reason="needs the compiled form")
@pytest.mark.parametrize("form", FORMATS)
def test_much_of_these_topics_is_followed(form: str) -> None:
    taken = 0
    for seed in range(20):
        records = records_of(topic_of(seed, 50, form))
        state = MarketState()
        for at, record in enumerate(records):
            if state.follow(records, at, at + 1) > at:
                taken += 1
            elif record.unreadable is None:
                with suppress(RecordRejected, RegistryFailed):
                    state(record)
    assert taken > 200


def plain(count: int, form: str, reader: ValueReader) -> list[ReceivedRecord]:
    first = msgspec.structs.replace(BOOK, bids=[("1.50", "1")], asks=[("2.50", "1")], epoch=5, reason="initial")
    events = [first]
    for seq in range(1, count):
        change = msgspec.structs.replace(first, action="delta", reason=None, book_seq=seq, bids=[("1.40", str(seq))])
        events.append(change)
    return [Place(event, form).record(offset, reader) for offset, event in enumerate(events)]


@pytest.mark.skipif("compiled" not in FORMS, reason="needs the compiled form")
@pytest.mark.parametrize("form", FORMATS)
def test_changes_that_are_plainly_next_are_taken_together_and_nothing_else(form: str) -> None:
    records, state = plain(100, form, ValueReader(schema_of)), MarketState()
    assert state.follow(records, 0, 100) == 0  # a snapshot is none
    state(records[0])
    assert state.follow(records, 1, 60) == 60
    assert state.follow(records, 61, 100) == 61  # one is missing
    assert state.follow(records, 60, 100) == 100
    assert state.records == {"orderbook": 100}
    assert state.report()["books"]["kraken|BTC-USD"]["bids"] == [("1.50", "1"), ("1.40", "99")]
    assert records[1]._event is None  # nobody has made an object of it


@pytest.mark.skipif("compiled" not in FORMS, reason="needs the compiled form")
def test_no_change_is_taken_behind_the_schema_of_another_kind_or_another_message() -> None:
    reader = ValueReader(schema_of)
    for form, head in (("avro", b"\0\0\0\0\4"), ("protobuf", b"\0\0\0\0\2\1")):
        records, state = plain(3, form, reader), MarketState()
        state(records[0])
        records[1].value = head + (records[1].value or b"")[len(head) :]
        records[1].headers = ()
        records[1].prepare()
        assert state.follow(records, 1, 2) == 1
        with pytest.raises(RecordRejected):
            state(records[1])


@pytest.mark.skipif("compiled" not in FORMS, reason="needs the compiled form")
@pytest.mark.parametrize("form", FORMATS[1:])
def test_nothing_is_taken_whose_schema_is_not_known_to_be_ours(form: str) -> None:
    registry = dict(SCHEMAS)
    records, state = plain(10, form, ValueReader(registry.__getitem__)), MarketState()
    for record in records[:2]:
        state(record)
    records[2].value, whole = (records[2].value or b"")[:-3], records[2].value
    registry |= {1: SCHEMAS[4], 2: SCHEMAS[4]}
    with pytest.raises(SchemaSwapped):
        state(records[2])
    records[2].value = whole
    assert state.follow(records, 2, 10) == 2
    registry |= SCHEMAS
    records[2].prepare()
    assert state.follow(records, 2, 10) == 10
