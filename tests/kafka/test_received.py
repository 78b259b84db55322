"""Every message of the client becomes its record once, in Python and compiled; errors stay."""

from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from forms import FORMS, use
from tickwire.kafka import received
from tickwire.kafka.received import ReceivedRecord


@dataclass
class Message:
    """As the client hands them over."""

    place: tuple[str, int, int] = ("t", 0, 0)
    headers_: Any = None
    time: tuple[int, int] = (1, 1_700_000_000_000)
    error_: object = None
    bodies: tuple[bytes | None, bytes | None] = (b"k", b"v")
    asked: list[int] = field(default_factory=list)

    def error(self) -> object:
        return self.error_

    def topic(self) -> str:
        return self.place[0]

    def partition(self) -> int:
        return self.place[1]

    def offset(self) -> int:
        return self.place[2]

    def key(self) -> bytes | None:
        return self.bodies[0]

    def value(self) -> bytes | None:
        return self.bodies[1]

    def timestamp(self) -> tuple[int, int]:
        return self.time

    def headers(self) -> Any:
        self.asked.append(1)
        if isinstance(self.headers_, Exception):
            raise self.headers_
        return self.headers_


bodies = st.tuples(st.none() | st.binary(max_size=3), st.none() | st.binary(max_size=3))
headers = st.none() | st.lists(st.tuples(st.sampled_from(["a", "b"]), st.none() | st.binary(max_size=1)), max_size=2)
messages = st.builds(
    Message,
    place=st.tuples(st.sampled_from(["t", "u"]), st.integers(0, 1), st.integers(0, 2**62)),
    headers_=headers | st.builds(SystemError, st.just("what")),
    time=st.tuples(st.integers(0, 2), st.integers(0, 2**50)),
    error_=st.sampled_from([None, None, None, "end"]),
    bodies=bodies,
)


def all_received(found: list[Any]) -> list[Any]:
    """Every record and every error, as a consumer gets them."""
    taken: list[Any] = []
    at = 0
    while at < len(found):
        records = received.receive(found, at, received._json_reader)
        assert len({(record.topic, record.partition) for record in records}) <= 1
        taken += records or [found[at].error()]
        at += len(records) or 1
    return taken


@pytest.mark.parametrize("form", FORMS)
@given(found=st.lists(messages, max_size=8))
def test_every_message_becomes_its_record_once_and_errors_stay(form: str, found: list[Message]) -> None:
    expected = []
    for message in found:
        readable = not isinstance(message.headers_, Exception)
        expected.append(
            message.error_
            or ReceivedRecord(
                *message.place,
                *message.bodies,
                tuple(message.headers_ or ()) if readable else (),
                message.time[1] if message.time[0] else None,
                None if readable else "its headers cannot be read: what",
            )
        )
    left: list[Any] = [*found]
    with use(form):
        assert all_received(left) == expected
    assert [message.asked for message in found] == [[] if message.error_ else [1] for message in found]
    assert left == [message if message.error_ else None for message in found]


@pytest.mark.parametrize("form", FORMS)
def test_what_ends_a_program_passes(form: str) -> None:
    class Ending(Message):
        def headers(self) -> Any:
            raise KeyboardInterrupt

    with use(form), pytest.raises(KeyboardInterrupt):
        received.receive([Ending()], 0, received._json_reader)
