"""Trades by the short way: records, counts, gaps and duplicates as on the long one, whichever way those before took."""

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forms import FORMS, use
from tickwire.events.types import Trade
from tickwire.exchanges import binance, kraken
from tickwire.wire.session import Session
from wire import short_way_support, test_short_way_kraken
from wire.short_way_support import ADDED, CHANNELS, WAYS, Chain, damaged, in_each_form, plan_of, rarely_more, spread

pytestmark = pytest.mark.skipif("compiled" not in FORMS, reason="all frames go to the adapter then")


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> Iterator[None]:
    with use(request.param):
        yield


class Binance:
    """As in https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams, read on 2026-11-29."""

    module: Any = binance
    symbols = short_way_support.SYMBOLS
    sides, time = (b"false", b"true"), b"1700000000120"
    ticker = short_way_support.USUAL

    @staticmethod
    def frame(
        symbol: bytes, number: bytes, price: bytes, size: bytes, side: bytes, time: bytes, more: bytes = b',"M":true'
    ) -> bytes:
        return (
            b'{"stream":"%s@trade","data":{"e":"trade","E":1700000000123,"s":"%s","t":%s,"p":"%s","q":"%s","T":%s,"m":%s%s}}'
            % (symbol.lower(), symbol, number, price, size, time, side, more)
        )


class Kraken:
    """As in https://docs.kraken.com/api/docs/websocket-v2/trade, read on 2026-11-29."""

    module: Any = kraken
    symbols = test_short_way_kraken.SYMBOLS
    sides, time = (b"buy", b"sell"), b"2026-11-28T03:00:00.123456Z"
    ticker = test_short_way_kraken.USUAL

    @staticmethod
    def entry(symbol: bytes, number: bytes, price: bytes, size: bytes, side: bytes, time: bytes, more: bytes) -> bytes:
        return (
            b'{"symbol":"%s","side":"%s","price":%s,"qty":%s,"ord_type":"market","trade_id":%s,"timestamp":"%s"%s}'
            % (symbol, side, price, size, number, time, more)
        )

    @classmethod
    def frame(
        cls, symbol: bytes, number: bytes, price: bytes, size: bytes, side: bytes, time: bytes, more: bytes = b""
    ) -> bytes:
        return cls.of(cls.entry(symbol, number, price, size, side, time, more))

    @staticmethod
    def of(*entries: bytes, kind: bytes = b"update") -> bytes:
        return b'{"channel":"trade","type":"%s","data":[%s]}' % (kind, b",".join(entries))


EXCHANGES: list[Any] = [Binance, Kraken]
each_exchange = pytest.mark.parametrize("exchange", EXCHANGES)


def usual(exchange: Any, number: int, symbol: int = 0) -> bytes:
    native = exchange.symbols[symbol].native.encode()
    frame: bytes = exchange.frame(native, b"%d" % number, b"88012.40", b"0.25", exchange.sides[1], exchange.time)
    return frame


# How far a trade's number is from the next one of its symbol.
steps = st.sampled_from([0] * 14 + [-1, -1, -2, -40, -600, 1, 2, 700])
odd_numbers = st.sampled_from([b"007", b"-1", b"1.0", b"1e3", b'"5"', *(b"9" * n for n in range(17, 21)), b"null"])
numbers = st.one_of(
    short_way_support.numbers.filter(bool), st.sampled_from([b"88012", b"0.00000001", b"1.50", b"0", b"0.000", b"12"])
)
rarely_odd = st.integers(0, 30).flatmap(lambda n: numbers if n else short_way_support.odd)
times = st.integers(0, 12).flatmap(
    lambda n: st.none() if n else st.one_of(odd_numbers, st.just(b"0"), test_short_way_kraken.times)
)
sides = st.integers(0, 20).flatmap(
    lambda n: st.integers(0, 1) if n else st.sampled_from([b"null", b"1", b"", b"BUY", b"buysell", b'"true"', b"truer"])
)
of_trades = st.tuples(
    st.sampled_from([0, 0, 0, 1, 2]),
    st.integers(0, 25).flatmap(lambda n: steps if n else odd_numbers),
    rarely_odd,
    rarely_odd,
    sides,
    times,
    st.integers(0, 3).flatmap(lambda n: rarely_more if n == 0 else st.none()),
)
actions = st.one_of(
    *[of_trades.map(lambda one: [one])] * 5,
    st.lists(of_trades, max_size=3),
    st.integers(),
    st.sampled_from(["others want the events", "nobody else does", "ticker"]),
)
scripts = st.tuples(st.sampled_from(EXCHANGES), st.lists(actions, max_size=30), st.booleans())


class Player:
    """Makes the frames that a script says; what comes in order depends on what came before, not on the chain."""

    def __init__(self, exchange: Any) -> None:
        self._exchange = exchange
        names = *(symbol.native.encode() for symbol in exchange.symbols), b"XRP/USDT"
        self._last = dict.fromkeys(names, 1000)
        self._names = list(names)

    def frame(self, trades: list[Any]) -> bytes:
        """One with these trades; Binance has the last of them."""
        texts = [self._parts(*trade) for trade in trades]
        if self._exchange is Kraken:
            return Kraken.of(*(Kraken.entry(*text) for text in texts))
        return Binance.frame(*texts[-1]) if texts else b"{}"

    def _parts(self, symbol: int, step: Any, price: bytes, size: bytes, side: Any, time: Any, more: Any) -> list[bytes]:
        name, number = self._names[symbol], step
        if isinstance(step, int):
            self._last[name] = max(self._last[name] + 1 + step, 0)
            number = b"%d" % self._last[name]
        side = self._exchange.sides[side] if isinstance(side, int) else side
        return [name, number, price, size, side, self._exchange.time if time is None else time, more or b""]


def play(chain: Chain, exchange: Any, script: list[Any], *, spaced: bool) -> None:
    player, frame = Player(exchange), usual(exchange, 1000)
    for symbol in (0, 1):
        chain.message(usual(exchange, 1000, symbol))
    for action in script:
        match action:
            case str():
                chain.way.alone = action != "others want the events"
                if action != "ticker":
                    continue
                frame = exchange.ticker
            case int():
                frame = damaged(frame, action)
            case bytes():
                frame = action
            case _:
                frame = player.frame(action)
        chain.message(spread(frame) if spaced else frame)


async def both(exchange: Any, script: list[Any], *, spaced: bool = False) -> list[dict[str, Any]]:
    """Play the script on the long way, and on the short one in each form."""
    answers = []
    for short, one in WAYS:
        with use(one):
            chain = Chain(short=short, exchange=exchange.module, symbols=exchange.symbols)
            play(chain, exchange, script, spaced=spaced)
            answers.append(chain.seen())
    return answers


@given(scripts)
@settings(max_examples=150, deadline=None)
def test_both_ways_send_and_count_the_same(script: tuple[Any, list[Any], bool]) -> None:
    exchange, steps, spaced = script
    long, *short = asyncio.run(both(exchange, steps, spaced=spaced))
    assert short == [long] * len(FORMS)


@each_exchange
@pytest.mark.parametrize("more", [*ADDED, b"}", b" ", b"x", b"\0"])
async def test_what_is_added_to_a_frame_is_passed_over_only_where_the_adapter_does(exchange: Any, more: bytes) -> None:
    native = exchange.symbols[0].native.encode()
    plain = native, b"1001", b"88012.40", b"0.25", exchange.sides[0], exchange.time
    frames = [exchange.frame(*plain, more), usual(exchange, 1001) + more, usual(exchange, 1002)]
    long, *short = await both(exchange, frames)
    assert short == [long] * len(FORMS)


@in_each_form
@each_exchange
async def test_the_next_trade_of_a_symbol_takes_the_short_way_and_any_other_the_long_one(exchange: Any) -> None:
    chain = Chain(short=True, exchange=exchange.module, symbols=exchange.symbols)
    taken = chain.long_way()
    chain.message(usual(exchange, 7))  # from which the way learns
    chain.message(usual(exchange, 8))
    chain.message(spread(usual(exchange, 9)))
    assert taken == [usual(exchange, 7)]
    for number in (9, 8, 12):  # known, known, behind a gap
        chain.message(usual(exchange, number))
    assert taken[1:] == [usual(exchange, number) for number in (9, 8, 12)]
    chain.message(usual(exchange, 13))
    assert len(taken) == 4
    assert [msgspec.json.decode(value)["trade_id"] for _, value, *_ in chain.sent] == ["7", "8", "9", "12", "13"]
    assert (chain.tally.frames.value, chain.tally.short_way.value, chain.tally.trade_gaps.value) == (4, 3, 1)
    assert chain.tally.events[Trade].value == 5


@in_each_form
async def test_a_message_with_several_trades_takes_the_long_way_and_the_next_one_the_short_one() -> None:
    chain = Chain(short=True, exchange=kraken, symbols=Kraken.symbols)
    entries = [Kraken.entry(b"BTC/USD", b"%d" % n, b"1", b"2.5", b"buy", Kraken.time, b"") for n in (8, 9)]
    chain.message(usual(Kraken, 7))
    chain.message(Kraken.of(*entries))
    chain.message(usual(Kraken, 10))
    assert [msgspec.json.decode(value)["trade_id"] for _, value, *_ in chain.sent] == ["7", "8", "9", "10"]
    assert (chain.tally.frames.value, chain.tally.short_way.value, chain.tally.trade_gaps.value) == (2, 1, 0)


@in_each_form
@each_exchange
@pytest.mark.parametrize(
    ("before", "kept", "after", "sent", "gaps"),
    [
        # what the old connection brought, the new one on standby, and that one afterwards
        ([1, 2, 3], [2, 3], [4, 5], [1, 2, 3, 4, 5], 0),
        ([1, 2], [2, 3, 4], [5], [1, 2, 3, 4, 5], 0),
        ([1, 2, 3, 4], [2], [3, 4, 5, 6], [1, 2, 3, 4, 5, 6], 0),
        ([1, 2], [4], [5, 6], [1, 2, 4, 5, 6], 1),
        ([1, 2, 5, 6], [3, 4], [5, 6, 7, 8], [1, 2, 5, 6, 3, 4, 7, 8], 3),
        ([1, 2, 5], [3, 4, 5], [6, 5, 6, 7], [1, 2, 5, 3, 4, 6, 7], 3),
    ],
)
async def test_what_takes_over_sends_by_the_short_way_what_is_new_and_nothing_twice(
    exchange: Any, before: list[int], kept: list[int], after: list[int], sent: list[int], gaps: int
) -> None:
    chain = Chain(short=True, exchange=exchange.module, symbols=exchange.symbols)
    old = chain.session
    for number in before:
        old.connection._gate.message(usual(exchange, number))
    adapter = exchange.module.Adapter(exchange.symbols, CHANNELS, 25)
    new = Session(old._context, adapter, plan_of(exchange.symbols), standby=True)
    for number in kept:
        new.connection._gate.message(usual(exchange, number))
    old.retire()
    new.take_over()
    taken = chain.tally.short_way.value
    for number in after:
        old.connection._gate.message(usual(exchange, number))  # too late: it is counted, and that is all
        new.connection._gate.message(usual(exchange, number))
    assert [int(msgspec.json.decode(value)["trade_id"]) for _, value, *_ in chain.sent] == sent
    assert chain.tally.trade_gaps.value == gaps
    assert chain.tally.short_way.value > taken


@in_each_form
@each_exchange
async def test_a_symbol_has_trades_of_its_own(exchange: Any) -> None:
    chain = Chain(short=True, exchange=exchange.module, symbols=exchange.symbols)
    for number in range(4):
        for symbol in (0, 1):
            chain.message(usual(exchange, number + 100 * symbol, symbol))
    assert (chain.tally.short_way.value, chain.tally.trade_gaps.value) == (6, 0)
    ids = [(msgspec.json.decode(value)["trade_id"], key) for _, value, key, _ in chain.sent]
    assert len(set(ids)) == 8
