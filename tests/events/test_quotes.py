"""The short way from a frame to a ticker's text gives what the adapter gives, or nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forms import FORMS, use
from tickwire.errors import FrameRejected
from tickwire.events import quotes
from tickwire.events.types import Ticker, TickerText
from tickwire.exchanges.binance import Adapter
from tickwire.exchanges.contract import Output, Symbol
from tickwire.records.codec import RecordWriter

BTC = Symbol("BTC-USDT", "BTCUSDT")
FRAME = b'{"stream":"btcusdt@bookTicker","data":{"u":%s,"s":"%s","b":"%s","B":"%s","a":"%s","A":"%s"}}'
USUAL = FRAME % (b"400900217", b"BTCUSDT", b"25.35190000", b"31.21000000", b"25.36520000", b"40.66000000")
compiled = pytest.mark.skipif("compiled" not in FORMS, reason="needs the compiled form")


def adapter(form: str) -> Adapter:
    """One that has heard of its symbol."""
    with use(form):
        made = Adapter([BTC], ["ticker"], 25)
        made.receive(USUAL, 1)
    return made


def value_of(outputs: list[Output]) -> bytes:
    [event] = outputs
    assert isinstance(event, Ticker | TickerText)
    return RecordWriter("t", "b").write(event).value


def answer(made: Adapter, frame: bytes, received_us: int) -> bytes | str:
    try:
        return value_of(made.receive(frame, received_us))
    except FrameRejected as e:
        return e.reason


LONG, SHORT = adapter("python"), adapter(FORMS[-1])

digits = st.text("0123456789", min_size=1, max_size=17).map(str.encode)
numbers = st.one_of(
    st.decimals(0, 10**6, places=8).map(lambda d: format(d, "f").encode()),
    st.just(b"0.00000000"),
    digits,
    st.tuples(digits, st.text("0123456789", min_size=0, max_size=27).map(str.encode)).map(b".".join),
    st.sampled_from([b"-1", b"1e5", b".5", b"5.", b"", b"NaN", b"1_0", b" 1", b"1\\u0030", b"\xd9\xa3"]),
)
update_ids = st.one_of(
    st.integers(0, 2**53 + 2).map(lambda n: b"%d" % n), st.sampled_from([b"007", b"-1", b"1.0", b"9" * 30, b'"1"'])
)
frames = st.tuples(update_ids, st.sampled_from([b"BTCUSDT", b"ETHUSDT", b""]), numbers, numbers, numbers, numbers).map(
    lambda fields: FRAME % fields
)


@compiled
def test_the_usual_frame_takes_the_short_way() -> None:
    [event] = SHORT.receive(USUAL, 5)
    assert type(event) is TickerText
    assert event.symbol == "BTC-USDT"
    assert event.received_us == 5


@compiled
@given(frames, st.integers(0, 2**60))
@settings(max_examples=600)
def test_both_ways_give_the_same_record_or_the_same_refusal(frame: bytes, received_us: int) -> None:
    assert answer(SHORT, frame, received_us) == answer(LONG, frame, received_us)


@compiled
@given(frames, st.data())
@settings(max_examples=600)
def test_damaged_frames_are_answered_the_same(frame: bytes, data: st.DataObject) -> None:
    damaged = bytearray(frame)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        if data.draw(st.booleans()):
            del damaged[at:]
            damaged += b"}"
        else:
            damaged[at] = data.draw(st.integers(0, 255))
    assert answer(SHORT, bytes(damaged), 1) == answer(LONG, bytes(damaged), 1)


@compiled
@pytest.mark.parametrize("shape", [b"", b"%%%%", b"$#%%%", b"$#%%%%%", b"$$#%%%%"])
def test_a_shape_without_what_a_ticker_needs_is_refused(shape: bytes) -> None:
    with pytest.raises(ValueError, match="four numbers"):
        quotes.QuoteReader("binance", shape)
