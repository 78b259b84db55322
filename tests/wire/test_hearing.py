"""What of one subscription counts as silence."""

from math import inf

from feed.toy_exchange import symbol
from tickwire.wire.hearing import Hearing


class Speaker:
    """A subscription that has said so many things, and whether all of them are heard."""

    def __init__(self) -> None:
        self.said, self.whole = 0, True
        self.hearing = Hearing("orderbook", symbol("A-X"), lambda: self.said, lambda: self.whole)

    def speak(self, now: float) -> None:
        self.said += 1
        assert self.hearing.quiet_s(now) == 0

    def speak_until(self, end: int) -> None:
        """Once a second."""
        for now in range(end + 1):
            self.speak(float(now))


def test_the_quiet_is_measured_from_the_look_that_found_something_new() -> None:
    speaker = Speaker()
    speaker.speak(10.0)
    assert [speaker.hearing.quiet_s(now) for now in (10.5, 12.0)] == [0.5, 2.0]
    speaker.speak(13.0)
    assert speaker.hearing.quiet_s(14.0) == 1.0


def test_pauses_between_messages_are_what_is_usual() -> None:
    speaker = Speaker()
    speaker.speak_until(600)
    assert 1.0 < speaker.hearing.rhythm.usual_s < 1.2
    assert speaker.hearing.most_s == 15.0


def test_the_time_before_the_first_message_is_no_pause_and_neither_is_what_was_forgiven() -> None:
    speaker = Speaker()
    speaker.speak_until(600)
    usual_s = speaker.hearing.rhythm.usual_s
    speaker.hearing.wake(900.0)
    assert speaker.hearing.quiet_s(902.0) == 2.0
    speaker.speak(1000.0)
    assert speaker.hearing.rhythm.usual_s == usual_s


def test_nothing_is_odd_and_no_pause_counts_while_not_all_is_heard() -> None:
    speaker = Speaker()
    speaker.speak_until(600)
    usual_s = speaker.hearing.rhythm.usual_s
    speaker.whole = False
    assert (speaker.hearing.quiet_s(700.0), speaker.hearing.most_s) == (100.0, inf)
    speaker.whole = True
    speaker.speak(701.0)
    assert speaker.hearing.rhythm.usual_s == usual_s


def test_after_an_alarm_it_speaks_when_more_comes_than_what_a_subscription_begins_with() -> None:
    speaker = Speaker()
    speaker.speak_until(600)
    hearing = speaker.hearing
    hearing.quiet_s(616.0)
    hearing.begin_again(616.0)
    assert (hearing.silent_since, hearing.quiet_s(617.0)) == (600.0, 1.0)
    assert hearing.most_s > 40
    speaker.speak(618.0)
    assert hearing.silent_since == 600.0
    hearing.begin_again(700.0)
    assert hearing.silent_since == 600.0
    speaker.speak(701.0)
    speaker.speak(702.0)
    assert hearing.silent_since is None


def test_where_the_connection_is_to_blame_the_patience_grows_but_it_is_not_called_silent() -> None:
    speaker = Speaker()
    speaker.speak_until(600)
    speaker.hearing.give_up(616.0)
    assert speaker.hearing.most_s > 40
    assert speaker.hearing.silent_since is None
