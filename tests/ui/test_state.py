"""What the page shows is what the records say; none of it needs a Kafka."""

import msgspec
import pytest

from consumer_support import ticker
from screen_support import BEGIN, Feed, S, book
from tickwire.config.kafka_config import KafkaConfig
from tickwire.events.types import Ticker, Trade
from tickwire.kafka.consuming.unread_books import unread_book
from tickwire.kafka.received import ReceivedRecord
from tickwire.ui import state
from tickwire.ui.reading import conflate
from tickwire.ui.state import spread

CONFIG = KafkaConfig()


@pytest.fixture
def feed() -> Feed:
    return Feed()


def test_a_row_has_the_prices_of_the_ticker_digit_for_digit(feed: Feed) -> None:
    event = ticker(bid="65000.10000000")
    feed.take(event)
    expected = [0, "binance", "BTC-USDT", "65000.10000000", "1", "2.20", "2", "-64997.9", "-19998.64"]
    assert feed.row() == [*expected, None, event.received_us, None, None]


def test_without_a_ticker_the_best_levels_of_a_valid_book_are_shown(feed: Feed) -> None:
    feed.take(book("snapshot", 0, reason="initial"))
    assert feed.row()[3:9] == ["100.10", "1.0", "100.3", "3", "0.2", "19.96"]
    feed.take(book("invalid", 1, reason="gap"))
    assert feed.row()[3:9] == [None] * 6


def test_the_last_price_is_that_of_the_last_trade(feed: Feed) -> None:
    trade = Trade(
        exchange="binance",
        symbol="BTC-USDT",
        exchange_symbol="",
        trade_id="1",
        price="9.50",
        size="1",
        side="buy",
        received_us=1,
    )
    feed.take(ticker(), trade)
    assert feed.row()[9] == "9.50"


def test_only_what_has_changed_since_a_version_is_given(feed: Feed) -> None:
    feed.take(ticker("BTC-USDT"), ticker("ETH-USDT"))
    version = feed.screen.version
    assert feed.screen.since(version) == []
    feed.take(ticker("ETH-USDT", received_us=1_700_000_000_000_001))
    assert [row[2] for row in feed.screen.since(version)] == ["ETH-USDT"]


def test_a_book_that_is_invalid_is_said_in_words_until_its_snapshot(feed: Feed) -> None:
    feed.take(book("snapshot", 0, reason="initial"), book("invalid", 1, seconds=1, reason="checksum"))
    assert feed.screen.words(BEGIN + 15 * S) == ["BTC-USDT on kraken is invalid since 14 s: checksum"]
    assert feed.row()[-2:] == ["checksum", BEGIN + S]
    feed.take(book("snapshot", 2, seconds=3, reason="resync"))
    assert feed.screen.words(BEGIN + 15 * S) == []
    assert feed.row()[-2:] == ["valid", None]
    assert [(mark.what, mark.reason, mark.begin_us - BEGIN, mark.end_us) for mark in feed.screen.marks] == [
        ("start", "initial", 0, BEGIN),
        ("invalid", "checksum", S, BEGIN + 3 * S),
        ("start", "resync", 3 * S, BEGIN + 3 * S),
    ]


def test_many_books_with_one_trouble_are_one_sentence(feed: Feed) -> None:
    for number in range(5):
        symbol = f"S{number}-USD"
        feed.take(book("snapshot", 0, symbol=symbol), book("invalid", 1, reason="disconnect", symbol=symbol))
    assert feed.screen.words(BEGIN + 150 * S) == [
        "5 books of kraken are invalid, the longest since 2 min: disconnect"
    ]  # fmt: skip


def test_a_missing_message_is_a_trouble_from_the_one_behind_it(feed: Feed) -> None:
    feed.take(book("snapshot", 0), book("delta", 1), book("delta", 3, seconds=2))
    assert feed.screen.words(BEGIN + 5 * S) == ["BTC-USDT on kraken is invalid since 3 s: jump"]
    assert feed.screen.market.jumps == 1


def test_a_book_first_met_in_its_middle_waits_and_is_no_trouble(feed: Feed) -> None:
    feed.take(book("delta", 7))
    assert feed.row()[-2:] == ["waits", None]
    assert feed.screen.words(BEGIN) == []


def test_a_book_is_given_as_text_with_no_more_levels_than_asked_for(feed: Feed) -> None:
    feed.take(book("snapshot", 0, epoch=2**60))
    shown = feed.screen.book("kraken|BTC-USDT", 1)
    assert shown is not None
    assert bytes(shown["bids"]) == b'[["100.10","1.0"]]'
    assert (shown["levels"], shown["epoch"], shown["state"]) == ([2, 1], str(2**60), "valid")
    assert feed.screen.book("kraken|NONE", 1) is None


def test_messages_are_counted_a_second_and_what_cannot_be_read_is_named(feed: Feed) -> None:
    feed.take(ticker(), counts={b"binance|BTC-USDT": 7, b"\xff": 3, None: 1})
    assert feed.screen.second() == [7]
    assert feed.screen.second() == [0]
    feed.screen.take([ReceivedRecord("ticks", 2, 9, b"k", b"no JSON")], {})
    (words,) = feed.screen.words(BEGIN)
    assert words.startswith("1 records cannot be read; the last is ticks partition 2 offset 9: the value is no JSON")


def test_no_more_symbols_are_kept_than_the_most(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "MOST_SYMBOLS", 2)
    feed.take(*(ticker(f"S{number}") for number in range(4)))
    assert len(feed.screen.rows) == 2
    assert feed.screen.words(BEGIN) == ["More than 2 symbols: 2 messages of others are left out"]


@pytest.mark.parametrize(
    ("bid", "ask", "expected"),
    [
        ("0.1", "0.3", ("0.2", "10000.00")),
        ("1", "1", ("0", "0.00")),
        ("100000000000.000000000000000000000001", "100000000000", ("-0.000000000000000000000001", "-0.00")),
        ("0", "0", ("0", None)),
    ],
)
def test_the_spread_is_exact(bid: str, ask: str, expected: tuple[str, str]) -> None:
    assert spread((bid, None), (ask, None)) == expected
    assert spread(None, (ask, None)) == (None, None)


class Message:
    """What a consumer of the library hands out."""

    def __init__(self, topic: str, key: bytes | None, value: bytes = b"", time_ms: int = 10, offset: int = 0) -> None:
        self._said = (topic, key, value, (1, time_ms), offset)

    def topic(self) -> str:
        return self._said[0]

    def key(self) -> bytes | None:
        return self._said[1]

    def value(self) -> bytes:
        return self._said[2]

    def timestamp(self) -> tuple[int, int]:
        return self._said[3]

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._said[4]


def test_of_a_batch_the_last_ticker_of_a_key_is_kept_and_every_message_of_a_book() -> None:
    ticks, books, letters = CONFIG.ticker_topic, CONFIG.orderbook_topic, CONFIG.dlq_topic
    sent = [(ticks, b"a"), (books, b"a"), (ticks, b"b"), (ticks, b"a"), (books, b"a"), (letters, b"a")]
    messages = [Message(topic, key, time_ms=10 + at) for at, (topic, key) in enumerate(sent)]
    kept, counts, dead = conflate(messages, CONFIG, 11)
    assert kept == [messages[1], messages[2], messages[3], messages[4]]
    assert (counts, dead) == ({b"a": 3, b"b": 1}, 1)  # the first one is older than whoever looks on


def test_a_book_whose_levels_are_left_text_becomes_the_same_book(feed: Feed) -> None:
    other = Feed()
    for seq, action in enumerate(("snapshot", "delta", "delta")):
        event = book(action, seq)
        event.bids = [("100.10", str(seq + 1)), ("99.0", "0" if seq == 2 else "5")]
        record = unread_book(Message("orderbook.v1.raw", b"kraken|BTC-USDT", msgspec.json.encode(event), offset=seq))
        assert record is not None
        feed.screen.take([record], {})
        other.take(event)
    assert feed.screen.unreadable == 0
    assert feed.screen.market.report() == other.screen.market.report()


def test_levels_that_are_none_make_the_book_unusable_and_are_named(feed: Feed) -> None:
    feed.take(book("snapshot", 0))
    text = (
        b'{"type":"orderbook","action":"delta","exchange":"kraken","symbol":"BTC-USDT","exchange_symbol":"","depth":1,'
    )
    value = text + b'"bids":[["NaN","1"]],"asks":[],"epoch":1,"book_seq":1,"received_us":1}'
    record = unread_book(Message("orderbook.v1.raw", b"kraken|BTC-USDT", value, offset=9))
    assert record is not None
    feed.screen.take([record], {})
    assert "NaN" in feed.screen.words(BEGIN)[-1]
    assert feed.screen.state("kraken|BTC-USDT", feed.screen.rows["kraken|BTC-USDT"])[0] == "jump"


@pytest.mark.parametrize("value", [b"", b"\0\0\0\0\1x", b"{", b'{"type":"ticker"}', b'{"type":"orderbook"}'])
def test_what_is_no_book_is_left_to_who_names_the_error(value: bytes) -> None:
    assert unread_book(Message("orderbook.v1.raw", b"k", value)) is None


def test_a_ticker_without_a_side_shows_none(feed: Feed) -> None:
    feed.take(
        Ticker(
            exchange="x",
            symbol="A",
            exchange_symbol="A",
            bid=None,
            bid_size=None,
            ask="1",
            ask_size=None,
            received_us=1,
        )
    )
    assert feed.row()[3:9] == [None, None, "1", None, None, None]
