"""Sending no faster than allowed."""

import time
from itertools import pairwise

import pytest

from support import aeventually
from tickwire.errors import ConnectionLost
from tickwire.wire import pacer as module
from tickwire.wire.pacer import Pacer


async def test_messages_leave_in_order_and_apart() -> None:
    sent: list[tuple[bytes, float]] = []
    pacer = Pacer(0.1, lambda m: sent.append((m, time.monotonic())))
    for n in range(4):
        pacer.put(b"%d" % n)
    assert [m for m, _ in sent] == [b"0"]
    assert 0.15 < pacer.delay_s <= 0.3
    await aeventually(lambda: len(sent) == 4, "all messages")
    assert [m for m, _ in sent] == [b"0", b"1", b"2", b"3"]
    times = [t for _, t in sent]
    assert all(b - a >= 0.095 for a, b in pairwise(times))
    assert pacer.delay_s == 0


async def test_what_is_sent_past_the_queue_counts_too() -> None:
    sent: list[bytes] = []
    pacer = Pacer(5.0, sent.append)
    pacer.note()
    pacer.put(b"late")
    assert sent == []
    assert 4 < pacer.delay_s <= 5
    pacer.clear()
    assert pacer.delay_s == 0


async def test_an_urgent_message_goes_past_what_waits_and_what_waits_goes_on_after_it() -> None:
    sent: list[bytes] = []
    pacer = Pacer(0.1, sent.append)
    for message in (b"1", b"2", b"3"):
        pacer.put(message)
    pacer.send_now(b"pong")
    assert sent == [b"1", b"pong"]
    await aeventually(lambda: len(sent) == 4, "the others")
    assert sent == [b"1", b"pong", b"2", b"3"]


async def test_a_message_that_waits_first_holds_up_no_other_and_is_forgotten_with_them() -> None:
    sent: list[bytes] = []
    pacer = Pacer(0.0, sent.append)
    pacer.put(b"later", 0.1)
    pacer.put(b"never", 5.0)
    pacer.put(b"now")
    assert sent == [b"now"]
    await aeventually(lambda: len(sent) == 2, "the later one")
    pacer.clear()
    assert not pacer._later
    assert sent == [b"now", b"later"]


async def test_a_server_cannot_make_it_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING", 3)
    pacer = Pacer(5.0, lambda _: None)
    for _ in range(4):
        pacer.put(b"x")
    for delay_s in (0.0, 1.0):
        with pytest.raises(ConnectionLost):
            pacer.put(b"x", delay_s)
    pacer.clear()
