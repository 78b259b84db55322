"""What is due on a connection, by the clock alone."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from feed.toy_exchange import LIMITS, symbol
from tickwire.errors import ConnectionLost
from tickwire.events.book import Book
from tickwire.exchanges.contract import Channel, Exchange, Refused, Symbol
from tickwire.wire.backoff import Restarts
from tickwire.wire.books import BookState
from tickwire.wire.deadlines import AskAgain, Deadlines, Due, Heard, Ping, Replace, Restart, Silent, Unheard
from tickwire.wire.hearing import Hearing
from tickwire.wire.subscriptions import Subscriptions

A, B = symbol("A-X"), symbol("B-X")
EXCHANGE = replace(
    Exchange(**LIMITS), ping_interval_s=30.0, silence_s=60.0, subscription_silence_s=600.0, crossed_s=5.0,
    ack_timeout_s=10.0, max_connection_s=1000.0,
)  # fmt: skip
RIGHT, CROSSED = Book([("1", "1")], [("2", "1")]), Book([("3", "1")], [("2", "1")])


class Connection:
    """The deadlines of a connection that was opened at 0 for the books of A and B, and what they look at."""

    def __init__(self, books: Sequence[Symbol] = (A, B), **limits: Any) -> None:
        self.subscriptions = Subscriptions("toy", 9, listed=())
        self.states = {s: BookState(s, 25, Restarts(lambda: 0.5)) for s in books}
        self.said = Counter[tuple[Channel, Symbol]]()
        self.others: list[Hearing] = []
        every, states = replace(EXCHANGE, **limits), list(self.states.values())
        self.deadlines = Deadlines(every, states, self.others, self.subscriptions, first_s=30.0)
        self.deadlines.begin(0.0, 0.9)
        self.last_frame = 0.0
        self.pending: list[tuple[Channel, Symbol]] = []
        self.unheard: list[tuple[Channel, Symbol]] = []
        self.delay_s = 0.0

    def hear(self, now: float, *books: Symbol) -> None:
        """Take a frame with a change of each of *books*."""
        self.last_frame = now
        for one in books:
            self.states[one].sequencer.messages += 1

    def carry(self, *items: tuple[Channel, Symbol]) -> None:
        """Listen to these tickers and trades too."""
        self.others += [Hearing(*item, partial(self.said.__getitem__, item)) for item in items]

    def say(self, now: float, *items: tuple[Channel, Symbol]) -> None:
        """Take a frame of each of these."""
        self.last_frame = now
        self.said.update(items)

    def look(self, now: float, *, serving: bool = True) -> list[Due]:
        so_far = self.last_frame, self.pending, self.delay_s
        return self.deadlines.look(now, *so_far, serving=serving, unheard=self.unheard)


def test_nothing_is_due_while_frames_come_and_books_change() -> None:
    connection = Connection()
    for now in range(0, 900, 20):
        connection.hear(now, A, B)
        assert connection.look(now + 19) == []


def test_silence_is_asked_about_once_an_interval_and_then_ends_the_connection() -> None:
    connection = Connection()
    assert [connection.look(now) for now in (29.9, 30.0, 31.0, 59.9)] == [[], [Ping()], [], []]
    with pytest.raises(ConnectionLost, match="nothing came") as lost:
        connection.look(60.0)
    assert lost.value.reason == "silent"


def test_any_frame_puts_the_question_off() -> None:
    connection = Connection()
    connection.hear(20.0)
    assert [connection.look(now) for now in (30.0, 49.9, 50.0)] == [[], [], [Ping()]]
    connection.hear(51.0)
    assert [connection.look(now) for now in (80.9, 81.0)] == [[], [Ping()]]


def test_an_exchange_that_speaks_by_itself_is_not_asked_and_its_silence_ends_the_connection() -> None:
    connection = Connection(ping_interval_s=None)
    assert [connection.look(now) for now in range(60)] == [[]] * 60
    with pytest.raises(ConnectionLost, match="nothing came"):
        connection.look(60.0)


def test_an_exchange_that_wants_pings_at_an_interval_has_them_whatever_comes() -> None:
    connection, asked = Connection(keepalive_s=20.0), []
    for now in range(0, 65, 5):
        connection.hear(now, A, B)
        asked += [now] * (connection.look(now) == [Ping()])
    assert asked == [20, 40, 60]


def test_a_connection_is_to_be_replaced_after_its_part_of_the_longest_life() -> None:
    connection = Connection()
    connection.hear(880.0, A, B)
    assert connection.look(899.9) == []
    assert connection.look(900.0) == [Replace("before the exchange ends it for its age")]
    connection = Connection(max_connection_s=None)
    connection.hear(1e9, A, B)
    assert connection.look(1e9) == []


def test_what_has_no_answer_is_asked_for_again_ever_less_often() -> None:
    connection = Connection()
    connection.pending = [("ticker", A)]
    connection.deadlines.answers.any = True
    asked = []
    for now in range(100):
        connection.hear(now)
        asked += [now] * (AskAgain() in connection.look(now))
    assert asked == [10, 30, 70]


def test_the_time_that_sending_takes_is_not_held_against_the_server() -> None:
    connection = Connection()
    connection.pending, connection.delay_s = [("ticker", A)], 15.0
    assert connection.look(0.0) == []
    connection.delay_s = 0.0
    assert connection.look(24.9) == []
    with pytest.raises(ConnectionLost, match="no answer about AX on ticker") as lost:  # nor about anything else
        connection.look(25.0)
    assert lost.value.reason == "subscribe"


def busy(until: int) -> Connection:
    """A connection whose books have changed every second."""
    connection = Connection(ping_interval_s=1e6, silence_s=1e6)
    for state in connection.states.values():
        state.sequencer.valid = True
    for now in range(until + 1):
        connection.hear(now, A, B)
        assert connection.look(now) == []
    return connection


def test_a_book_of_which_nothing_is_known_has_the_longest_time_and_starts_again_alone() -> None:
    connection = Connection()
    said = []
    for now in range(0, 1300, 10):
        connection.hear(now, B)
        said += [(now, due.symbol) for due in connection.look(now) if isinstance(due, Silent)]
    assert said == [(600, A), (1200, A)]


def test_a_busy_book_that_falls_silent_starts_again_in_seconds_and_is_told_with_what_is_usual() -> None:
    connection = busy(300)
    said = []
    for now in range(301, 400):
        connection.hear(now, B)
        said += [(now, due) for due in connection.look(now)]
    (at, silent), *more = said
    assert isinstance(silent, Silent)
    assert (at, silent.channel, silent.symbol, silent.quiet_s) == (315, "orderbook", A, 15)
    assert 1.0 < silent.usual_s < 1.5
    assert [at for at, _ in more] == [360]  # three times as long, after a second and longer silence


def test_a_book_that_speaks_by_itself_again_is_told_with_how_long_it_was_silent() -> None:
    connection = busy(300)
    said = []
    for now in range(301, 330):
        connection.hear(now, *([B] if now < 320 else [A, B]))
        said += [(now, due) for due in connection.look(now) if not isinstance(due, Silent)]
    assert said == [(321, Heard("orderbook", A, 21))]


def test_a_book_that_is_not_valid_has_the_longest_time_however_busy_it_was() -> None:
    connection = busy(300)
    connection.states[A].sequencer.valid = False
    said = []
    for now in range(301, 1000):
        connection.hear(now, B)
        said += [now for due in connection.look(now) if isinstance(due, Silent)]
    assert said == [900]


def test_where_all_fall_silent_the_connection_is_lost_and_the_next_one_has_more_time() -> None:
    connection = busy(300)
    for now in range(301, 315):
        assert connection.look(now) == []
    with pytest.raises(ConnectionLost, match="nothing that was subscribed came for 15") as lost:
        connection.look(315)
    assert lost.value.reason == "silent"
    connection.deadlines.forgive(316)
    for now in range(316, 355):
        assert connection.look(now) == []
    with pytest.raises(ConnectionLost, match="nothing that was subscribed"):
        connection.look(361)


def test_one_that_spoke_when_the_other_had_been_silent_for_long_shows_that_the_connection_lives() -> None:
    connection = busy(300)
    connection.hear(306, B)
    connection.look(306)
    with pytest.raises(ConnectionLost):
        connection.look(315)
    connection = busy(300)
    connection.hear(308, B)
    connection.look(308)
    assert [type(due) for due in connection.look(315)] == [Silent]


def test_where_all_books_are_silent_for_the_longest_time_the_connection_is_lost_though_frames_come() -> None:
    connection = Connection()
    connection.hear(599.0)
    with pytest.raises(ConnectionLost, match="nothing that was subscribed came for 600"):
        connection.look(600.0)


def test_a_refused_book_is_not_waited_for_and_does_not_speak_for_the_others() -> None:
    connection = Connection()
    connection.subscriptions.refused(Refused("orderbook", A, "no"))
    connection.hear(599.0, B)
    assert connection.look(600.0) == []
    connection.hear(1199.0)
    with pytest.raises(ConnectionLost, match="nothing that was subscribed"):
        connection.look(1200.0)


def test_a_connection_without_books_is_not_lost_for_their_silence() -> None:
    connection = Connection(books=())
    connection.hear(800.0)
    assert connection.look(800.0) == []


@pytest.mark.parametrize(("most_s", "expected"), [(5.0, [5, 13]), (None, [])])
def test_a_book_whose_sides_stay_crossed_starts_again(most_s: float | None, expected: list[int]) -> None:
    connection, said = Connection(crossed_s=most_s), []
    for now, book in enumerate([CROSSED] * 6 + [RIGHT] * 2 + [CROSSED] * 6):
        connection.hear(now, A, B)
        connection.states[B].book_of = lambda _, book=book: book  # type: ignore[misc]
        said += [(now, due) for due in connection.look(now)]
    assert said == [(now, Restart(B)) for now in expected]


def test_a_book_that_is_silent_and_crossed_starts_again_once() -> None:
    connection = Connection(crossed_s=0.0)
    connection.states[A].book_of = lambda _: CROSSED
    connection.hear(600.0, B)
    assert [type(due) for due in connection.look(600.0)] == [Silent]


def test_books_are_no_matter_of_a_connection_that_does_not_serve_them() -> None:
    connection = Connection()
    connection.states[A].book_of = lambda _: CROSSED
    connection.hear(700.0)
    assert connection.look(700.0, serving=False) == []


def test_after_a_pause_books_and_answers_have_their_whole_time_again() -> None:
    connection = Connection()
    connection.pending = [("ticker", A)]
    assert connection.look(0.0) == []
    connection.deadlines.forgive(800.0)
    connection.hear(800.0)
    assert [connection.look(now) for now in (800.0, 809.0)] == [[], []]
    with pytest.raises(ConnectionLost, match="no answer"):
        connection.look(810.0)


@pytest.mark.parametrize(
    ("limits", "tick_s"),
    [({}, 1.0), ({"ack_timeout_s": 0.5}, 0.1), ({"silence_s": 1.0}, 0.2), ({"keepalive_s": 2.0}, 0.4)],
)
def test_looks_are_a_second_apart_or_less_where_a_limit_is_short(limits: dict[str, Any], tick_s: float) -> None:
    assert Connection(**limits).deadlines.tick_s == pytest.approx(tick_s)


TICKER: tuple[Channel, Symbol] = ("ticker", A)
TRADES: tuple[Channel, Symbol] = ("trade", A)
NEIGHBOUR: tuple[Channel, Symbol] = ("ticker", B)


def talking(until: int) -> Connection:
    """A connection without books, whose tickers and trades have come every second."""
    connection = Connection(books=(), ping_interval_s=1e6, silence_s=1e6)
    connection.carry(TICKER, TRADES, NEIGHBOUR)
    for now in range(until + 1):
        connection.say(now, TICKER, TRADES, NEIGHBOUR)
        assert connection.look(now) == []
    return connection


@pytest.mark.parametrize("silent", [TICKER, TRADES])
def test_tickers_and_trades_that_fall_silent_start_again_in_seconds_and_alone(silent: tuple[Channel, Symbol]) -> None:
    connection, said = talking(300), []
    going_on = {TICKER, TRADES, NEIGHBOUR} - {silent}
    for now in range(301, 400):
        connection.say(now, *going_on)
        said += [(now, due) for due in connection.look(now)]
    (at, due), *more = said
    assert isinstance(due, Silent)
    assert (at, due.channel, due.symbol, due.quiet_s) == (315, *silent, 15)
    assert [at for at, _ in more] == [360]  # with more patience, as for a book


def test_what_has_hardly_spoken_may_be_silent_for_ever_where_it_is_no_book() -> None:
    connection = Connection(books=(), max_connection_s=None)
    connection.carry(TICKER, TRADES, NEIGHBOUR)
    for now in range(10_000):
        connection.say(now, NEIGHBOUR, *([TICKER] if now < 10 else []))
        assert connection.look(now) == []


def test_tickers_that_wait_for_an_answer_or_their_first_message_are_not_silent_too() -> None:
    connection = talking(120)
    connection.deadlines.answers.any = True
    connection.pending = [TICKER]
    for now in range(121, 131):
        connection.say(now, TRADES, NEIGHBOUR)
        assert connection.look(now) == []
    connection.pending, connection.unheard = [], [TICKER]
    said = []
    for now in range(131, 200):
        connection.say(now, TRADES, NEIGHBOUR)
        said += [(now, due) for due in connection.look(now)]
    assert said == [(161, Unheard(*TICKER, 30))]


def test_where_tickers_and_trades_fall_silent_together_the_connection_is_lost() -> None:
    connection = talking(120)
    connection.last_frame = 135
    with pytest.raises(ConnectionLost, match="nothing that was subscribed came for 15"):
        connection.look(135)


def test_a_busy_book_speaks_for_a_connection_whose_tickers_are_silent() -> None:
    connection = busy(120)
    connection.carry(TICKER)
    for now in range(121, 241):
        connection.hear(now, A, B)
        connection.say(now, TICKER)
        assert connection.look(now) == []
    for now in range(241, 256):
        connection.hear(now, A, B)
        said = connection.look(now)
    assert [(due.channel, due.symbol) for due in said if isinstance(due, Silent)] == [TICKER]
