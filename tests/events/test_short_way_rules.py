"""The rules by which changes of books and trades are taken, each in both forms, for an exchange that is none."""

from collections.abc import Iterator
from typing import Any
from zlib import crc32

import msgspec
import pytest

from forms import FORMS, use
from tickwire.events import book as books
from tickwire.events import numbers, short_way
from tickwire.events.digest import ASKS_FIRST, BIDS_FIRST, DIGITS, IN_TURN, JAVASCRIPT, WRITTEN, Digest
from tickwire.events.rules import ANY, ASK, BEHIND, BID, KEPT, NEXT, PREVIOUS, REMOVED, STEP, Rule
from tickwire.events.types import OrderBook, Ticker, Trade
from tickwire.kafka.producing import in_flight
from tickwire.kafka.producing.ledger import Lane, Stream
from tickwire.records.codec import RecordWriter
from tickwire.wire.clock import clock

TICKER = b'{"s":"$","b":%,"B":%,"a":%,"A":%}'
NUMBERED = b'{"t":#m,"s":"$","from":#f,"to":#l,"b":=b,"a":=a}'
TRADE = b'{"s":"$","n":#,"p":"%","q":%,"t":#m,"side":"<bid|offer>"}'
CHECKED = b'{"s":"$","b":=b,"a":=a,"c":#c,"t":"^"}'


@pytest.fixture(params=FORMS, autouse=True)
def form(request: pytest.FixtureRequest) -> Iterator[None]:
    with use(request.param):
        yield


NEXT_ONE = Rule(NEXT)


class Followed:
    """A book that is followed, and a producer that keeps what it gets."""

    def __init__(self, shape: bytes, rule: Rule = NEXT_ONE, trade: bytes = TRADE, factor: str = "1") -> None:
        self.sent: list[dict[str, Any]] = []
        self.left: list[bytes] = []
        self.state = numbers.UpdateId()
        self.state.update_id = 10
        self.way = short_way.ShortWay(TICKER, shape, trade, rule)
        self.book = books.Book([("9", "1"), ("8", "2")], [("10", "3")], rule.of_level, factor)
        table = in_flight.InFlightTable(lambda *_: None, lambda *_: None)
        table.produce, table.ready = self._produce, True
        nothing: Any = self.left.append
        direct = in_flight.DirectPublisher(
            table, RecordWriter({"ticker": "t", "orderbook": "b", "trade": "d"}), set(), nothing, nothing, lambda: None
        )
        direct.alone = True
        stream = Stream("b", "orderbook", "x")
        direct.open(
            OrderBook, "A", (Lane(stream, "a", is_book=True), stream, "x", "b", b"k", [], "orderbook", "a", True, None)
        )
        direct.open(
            Trade, "A", (Lane(stream, "a", is_book=False), stream, "x", "t", b"k", [], "trade", "a", False, None)
        )
        valid, self.traded = numbers.BookNumbers(), numbers.TradeNumbers()
        valid.valid = True
        self.traded.last, self.traded.ahead = 10, True
        self.frames, self.counts = numbers.Number(), (numbers.Number(), numbers.Number(), numbers.Number())
        self.take = short_way.ShortWayReceiver(
            self.way,
            {"a": valid},
            {},
            {"a": self.traded},
            direct,
            clock,
            self.frames,
            self.counts,
            (Ticker, OrderBook, Trade),
            self.left.append,
            nothing,
        )

    def _produce(self, _topic: str, value: bytes, *_: Any, **__: Any) -> None:
        self.sent.append(msgspec.json.decode(value))

    def follow(self, *names: str, depth: int = -1, bounds: tuple[int, int] = (0, 99)) -> None:
        book = self.book.bids, self.book.asks
        self.way.follow("a", names or ("a",), "A", b'{"bids":', *book, self.state, depth, *bounds)


SHAPES = {
    NEXT: NUMBERED,
    PREVIOUS: b'{"t":#m,"s":"$","from":#p,"to":#l,"b":=b,"a":=a}',
    STEP: b'{"t":#m,"s":"$","from":#x,"to":#l,"b":=b,"a":=a}',
    BEHIND: NUMBERED,
}


@pytest.mark.parametrize(
    ("order", "first", "last", "taken"),
    [
        (NEXT, 11, 11, True), (NEXT, 9, 12, True), (NEXT, 12, 12, False), (NEXT, 9, 10, False), (NEXT, 11, 10, False),
        (PREVIOUS, 10, 17, True), (PREVIOUS, 9, 17, False), (PREVIOUS, 11, 17, False), (PREVIOUS, 10, 3, True),
        (BEHIND, 11, 11, True), (BEHIND, 11, 19, True), (BEHIND, 9, 12, False), (BEHIND, 12, 12, False),
        (BEHIND, 11, 10, False),
        (STEP, 0, 11, True), (STEP, 0, 12, False), (STEP, 0, 10, False), (STEP, 0, 1, False),
    ],
)  # fmt: skip
def test_a_change_is_taken_where_it_is_next(order: int, first: int, last: int, taken: bool) -> None:
    followed = Followed(SHAPES[order], Rule(order))
    followed.follow()
    followed.take(b'{"t":5,"s":"a","from":%d,"to":%d,"b":[["9","0"]],"a":[]}' % (first, last))
    assert (len(followed.left), followed.state.update_id) == ((0, last) if taken else (1, 10))
    assert followed.book.bids.top() == ([("8", "2")] if taken else [("9", "1"), ("8", "2")])
    assert [(value["sequence"], value["exchange_us"]) for value in followed.sent] == [(last, 5000)] * taken


def test_a_change_that_says_nothing_new_is_left_where_it_names_the_one_before() -> None:
    followed = Followed(SHAPES[PREVIOUS], Rule(PREVIOUS))
    followed.follow()
    followed.take(b'{"t":5,"s":"a","from":10,"to":10,"b":[],"a":[]}')
    assert len(followed.left) == 1


def test_a_step_to_one_begins_anew() -> None:
    followed = Followed(SHAPES[STEP], Rule(STEP))
    followed.state.update_id = 0
    followed.follow()
    followed.take(b'{"t":5,"s":"a","from":0,"to":1,"b":[],"a":[]}')
    assert len(followed.left) == 1


@pytest.mark.parametrize(
    ("mark", "said", "expected"),
    [
        ("#m", b"1700000000123", 1_700_000_000_123_000), ("#u", b"1700000000123456", 1_700_000_000_123_456),
        ("#n", b"1700000000123456789", 1_700_000_000_123_456), ("#n", b"9223372036854775799", 9_223_372_036_854_775),
        ("#n", b"9223372036854775808", None), ("#u", b"9007199254740993", None), ("#m", b"-1", None),
        ("#m", b"007", None),
    ],
)  # fmt: skip
def test_times_are_in_their_unit(mark: str, said: bytes, expected: int | None) -> None:
    followed = Followed(b'{"t":%s,"s":"$","b":=b,"a":=a}' % mark.encode(), Rule(ANY))
    followed.follow()
    followed.take(b'{"t":%s,"s":"a","b":[],"a":[]}' % said)
    assert [value["exchange_us"] for value in followed.sent] == [expected][: expected is not None]


@pytest.mark.parametrize(("first", "second", "taken"), [("a.x", "a", True), ("a.x", "b", False), ("b", "a", False)])
def test_every_text_of_the_symbol_has_to_be_that_of_the_book(first: str, second: str, taken: bool) -> None:
    followed = Followed(b'{"c":"$","t":#m,"b":=b,"a":=a,"s":"$"}', Rule(ANY))
    followed.follow("a.x", "a")
    followed.take(b'{"c":"%s","t":5,"b":[],"a":[],"s":"%s"}' % (first.encode(), second.encode()))
    assert len(followed.sent) == taken
    followed.way.leave("a")
    followed.take(b'{"c":"a.x","t":5,"b":[],"a":[],"s":"a"}')
    assert len(followed.sent) == taken


WORDS: dict[bytes, object] = {
    b'["set",9,1.5]': ([["9", "1.5"]], []),
    b'["cut",9,1.5]': ([["9", "0"]], []), b'["set","9","1"]': ([["9", "1"]], []),
    b'["cut",9,1.5,1]': None, b'["other",9,1]': None, b'[ "set",9,1]': None, b'["set",0,1]': None, b'["set",9]': None,
    b'["set",9,1,"more"]': ([["9", "1"]], []),
}  # fmt: skip
SIDES: dict[bytes, object] = {
    b'["in","9","1.5"]': ([["9", "1.5"]], []), b'["out","9","0.0"]': ([], [["9", "0"]]), b'["in",9,"1"]': None,
    b'["in","9","1","2"]': None, b'["in","0.0","1"]': None, b'["set","9","1"]': None, b'["in","9",1]': None,
    b'["out","11","1"],["in","8","0"],["out","10","0"]': ([["8", "0"]], [["10", "0"], ["11", "1"]]),
}  # fmt: skip


@pytest.mark.parametrize(("levels", "expected"), WORDS.items())
def test_a_word_in_front_of_a_level_may_remove_it(levels: bytes, expected: object) -> None:
    rule = Rule(ANY, words=(("set", KEPT), ("cut", REMOVED)))
    followed = Followed(b'{"t":#m,"s":"$","b":=b,"a":=a}', rule)
    followed.follow()
    followed.take(b'{"t":5,"s":"a","b":[%s],"a":[]}' % levels)
    assert [(value["bids"], value["asks"]) for value in followed.sent] == [expected] * (expected is not None)


@pytest.mark.parametrize(("levels", "expected"), SIDES.items())
def test_a_word_in_front_of_a_level_may_say_its_side(levels: bytes, expected: object) -> None:
    followed = Followed(b'{"t":#m,"s":"$","c":=s}', Rule(ANY, words=(("in", BID), ("out", ASK))))
    followed.follow()
    followed.take(b'{"t":5,"s":"a","c":[%s]}' % levels)
    assert [(value["bids"], value["asks"]) for value in followed.sent] == [expected] * (expected is not None)


@pytest.mark.parametrize("side", [b"b", b"a"])
@pytest.mark.parametrize("price", [b'"0.00"', b"0"])
def test_a_level_without_a_price_is_left(side: bytes, price: bytes) -> None:
    followed = Followed(NUMBERED)
    followed.follow()
    levels = {b"b": (b'["9","1"],[%s,"1"]' % price, b""), b"a": (b"", b'[%s,"1"],["10","1"]' % price)}[side]
    followed.take(b'{"t":5,"s":"a","from":11,"to":11,"b":[%s],"a":[%s]}' % levels)
    assert (len(followed.left), followed.book.bids.top()) == (1, [("9", "1"), ("8", "2")])


def test_a_book_is_kept_as_deep_as_it_is_promised() -> None:
    followed = Followed(NUMBERED)
    followed.follow(depth=2)
    followed.take(b'{"t":5,"s":"a","from":11,"to":11,"b":[["9.5","1"]],"a":[]}')
    assert [value["bids"] for value in followed.sent] == [[["9.5", "1"], ["8", "0"]]]


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (b'["9","150"],["8.5","0.0"]', [["9", "1.5"], ["8.5", "0"]]), (b'["9",00]', None),
        (b'["8","1"],["9","2.50"]', [["9", "0.025"], ["8", "0.01"]]), (b'["9","1.%s"]' % (b"1" * 24), None),
        (b'["9",0.03]', [["9", "0.0003"]]),
    ],
)  # fmt: skip
def test_sizes_are_multiplied_where_the_book_counts_contracts(levels: bytes, expected: list[list[str]] | None) -> None:
    followed = Followed(NUMBERED, factor="0.01")
    followed.follow()
    followed.take(b'{"t":5,"s":"a","from":11,"to":11,"b":[%s],"a":[]}' % levels)
    assert [value["bids"] for value in followed.sent] == ([] if expected is None else [expected])
    assert len(followed.left) == (expected is None)


WHOLE = Rule(ANY, names=("p", "s"), whole=True)
ALL: dict[tuple[bytes, bytes], object] = {
    (b'{"p":"9","s":"1"},{"p":"8","s":"2"}', b'{"p":"10","s":"3"}'): ([], []),
    (b'{"p":"9","s":"1"}', b'{"s":"3","p":10}'): ([["8", "0"]], []),
    (b'{"p":"9.5","s":"1","n":3},{"p":"8","s":"5"}', b""): ([["9.5", "1"], ["9", "0"], ["8", "5"]], [["10", "0"]]),
    (b'{"p":"9.0","s":"1"},{"p":"8","s":"2.0"}', b'{"p":"10","s":"3"}'): ([["9.0", "1"], ["8", "2.0"]], []),
    (b'{"p":"8","s":"2"},{"p":"9","s":"4"},{"p":"9","s":"0"}', b'{"p":"10","s":"3"}'): ([["9", "0"]], []),
    (b'{"p":"9","s":"1"},{"p":"8","s":"2"}', b'{"p":"x","s":"3"}'): None,
}  # fmt: skip


@pytest.mark.parametrize(("levels", "expected"), ALL.items())
def test_a_frame_that_has_all_levels_leaves_as_what_differs(levels: tuple[bytes, bytes], expected: object) -> None:
    followed = Followed(b'{"t":#m,"s":"$","l":[=b,=a]}', WHOLE)
    before = followed.book.bids.top(), followed.book.asks.top()
    followed.follow()
    for _ in range(2):
        followed.take(b'{"t":5,"s":"a","l":[[%s],[%s]]}' % levels)
    told = [(value["bids"], value["asks"]) for value in followed.sent]
    assert told == ([] if expected is None else [expected, ([], [])])
    if expected is None:
        assert (followed.book.bids.top(), followed.book.asks.top()) == before


def test_a_symbol_has_no_at_where_one_follows() -> None:
    for shape, frame in (
        (b'{"s":"$","t":#m,"b":=b,"a":=a}', b'{"s":"@7","t":5,"b":[],"a":[]}'),
        (b'{"s":"$@x","t":#m,"b":=b,"a":=a}', b'{"s":"7@x","t":5,"b":[],"a":[]}'),
    ):
        followed = Followed(shape, Rule(ANY))
        followed.follow("@7" if b"@7" in frame else "7")
        followed.take(frame)
        assert len(followed.sent) == 1


@pytest.mark.parametrize(
    ("digest", "text"),
    [
        (Digest(10, ASKS_FIRST, DIGITS), b"1039182"), (Digest(10, BIDS_FIRST, DIGITS), b"9182103"),
        (Digest(1, ASKS_FIRST, DIGITS), b"10391"), (Digest(0, ASKS_FIRST, DIGITS), b""),
        (Digest(10, IN_TURN, WRITTEN), b"9:1:10:3:8:2"), (Digest(10, IN_TURN, JAVASCRIPT), b"9:1:10:-3:8:2"),
    ],
)  # fmt: skip
def test_a_change_is_taken_where_its_checksum_is_right(digest: Digest, text: bytes) -> None:
    followed = Followed(CHECKED, Rule(ANY, digest))
    followed.follow(depth=2)
    frame = b'{"s":"a","b":[],"a":[],"c":%d,"t":"1970-01-01T00:00:01Z"}'
    followed.take(frame % crc32(text))
    followed.take(frame % (crc32(text) ^ 1))
    assert (len(followed.left), [value["exchange_us"] for value in followed.sent]) == (1, [1_000_000])


@pytest.mark.parametrize(
    ("shape", "rule"),
    [
        (NUMBERED, Rule(5)), (NUMBERED, Rule(-1)), (NUMBERED, Rule(PREVIOUS)),
        (CHECKED, Rule(NEXT)), (CHECKED, Rule(ANY)), (NUMBERED, Rule(NEXT, Digest(1, 0, 0))),
        (CHECKED, Rule(ANY, Digest(26, 0, 0))), (CHECKED, Rule(ANY, Digest(9, 3, 0))),
        (CHECKED, Rule(ANY, Digest(9, 0, 3))), (NUMBERED, Rule(NEXT, names=("price",))),
        (NUMBERED, Rule(NEXT, names=("p", "s"), words=(("x", BID),))),
        (NUMBERED, Rule(NEXT, words=tuple((f"w{i}", BID) for i in range(5)))),
    ],
)  # fmt: skip
def test_rules_that_the_shape_or_nobody_has_are_refused(shape: bytes, rule: Rule) -> None:
    with pytest.raises(ValueError, match="has not what its rule needs, or there is no such rule"):
        Followed(shape, rule)


def test_nothing_is_of_an_empty_shape() -> None:
    followed = Followed(b"", Rule(ANY), b"")
    followed.follow()
    followed.take(b"")
    assert followed.left == [b""]


@pytest.mark.parametrize(
    ("last", "ahead", "number", "taken"),
    [(10, True, 11, True), (10, False, 11, False), (10, True, 12, False), (10, True, 10, False), (11, True, 11, False)],
)
@pytest.mark.parametrize(("word", "side"), [("bid", "buy"), ("offer", "sell")])
def test_a_trade_is_taken_where_its_number_is_next(
    last: int, ahead: bool, number: int, taken: bool, word: str, side: str
) -> None:
    followed = Followed(NUMBERED)
    followed.way.trade("a", "A", b'{"trade_id":')
    followed.traded.last, followed.traded.ahead = last, ahead
    followed.take(b'{"s":"a","n":%d,"p":"05.20","q":3,"t":7,"side":"%s"}' % (number, word.encode()))
    assert (len(followed.left), followed.traded.last) == ((0, number) if taken else (1, last))
    assert [count.value for count in (followed.frames, *followed.counts)] == [taken, 0, 0, taken]
    fields = ("trade_id", "price", "size", "side", "exchange_us")
    assert [tuple(map(value.get, fields)) for value in followed.sent] == [("11", "05.20", "3", side, 7000)] * taken


@pytest.mark.parametrize(
    "frame",
    [
        b'{"s":"b","n":11,"p":"5","q":3,"t":7,"side":"bid"}', b'{"s":"a","n":11,"p":"5","q":0.0,"t":7,"side":"bid"}',
        b'{"s":"a","n":11,"p":"5e1","q":3,"t":7,"side":"bid"}', b'{"s":"a","n":11,"p":"5","q":3,"t":-7,"side":"bid"}',
        b'{"s":"a","n":"11","p":"5","q":3,"t":7,"side":"bid"}', b'{"s":"a","n":11,"p":"5","q":3,"t":7,"side":"ask"}',
        b'{"s":"a","n":11,"p":"5","q":3,"t":7,"side":"bidoffer"}', b'{"s":"a","n":11,"p":"5","q":3,"t":7,"side":""}',
    ],
)  # fmt: skip
def test_a_trade_that_is_not_plain_is_left(frame: bytes) -> None:
    followed = Followed(NUMBERED)
    followed.way.trade("a", "A", b'{"trade_id":')
    followed.take(frame)
    assert (followed.left, followed.traded.last) == ([frame], 10)


def test_the_time_of_a_trade_may_be_text() -> None:
    followed = Followed(NUMBERED, trade=b'{"t":"^","s":"$","p":"%","q":"%","n":#,"m":<true|false>}')
    followed.way.trade("a", "A", b'{"trade_id":')
    followed.take(b'{"t":"1970-01-01T00:00:01.5Z","s":"a","p":"1","q":"2","n":11,"m":false}')
    assert [(value["side"], value["exchange_us"]) for value in followed.sent] == [("sell", 1_500_000)]


@pytest.mark.parametrize(
    "shape",
    [
        b"$#%%^", b"$#%%<a|b>",
        b"$#m#%%^<a|b>", b"$#m#m#%%<a|b>", b"$##%%<a|b>", b"$#%^<a|b>", b"$$#%%^<a|b>", b"$#%%^=<a|b>",
        b"($)#%%^<a|b>", b"$#%%^<a|b><c|d>", b"$#%%^<a>", b"$#%%^<|b>", b"$#%%^<a|>", b"$#%%^<a|b", b"$#%%^<a1|b>",
        b"$#%%^^<a|b>",
    ],
)  # fmt: skip
def test_a_shape_without_what_a_trade_needs_is_refused(shape: bytes) -> None:
    with pytest.raises(ValueError, match="a shape has not what a trade needs"):
        short_way.ShortWay(TICKER, NUMBERED, shape, NEXT_ONE)


@pytest.mark.parametrize(
    ("bounds", "left"), [((1, 3), 0), ((2, 99), 1), ((0, 2), 1)], ids=["both fit", "too few known", "too many"]
)
def test_a_change_after_which_too_few_levels_are_known_or_too_many_are_there_is_left(
    bounds: tuple[int, int], left: int
) -> None:
    followed = Followed(NUMBERED)
    followed.book.bids.bound()
    followed.book.bids.change([("8", "0"), ("7", "1"), ("6", "1")])
    followed.follow(bounds=bounds)
    followed.take(b'{"t":5,"s":"a","from":11,"to":11,"b":[["9","2"]],"a":[]}')
    assert (len(followed.left), len(followed.sent), followed.state.update_id) == (left, 1 - left, 11 - left)
