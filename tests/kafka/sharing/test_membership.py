"""What a member of a group may do, and when: tables and any order of events."""

from hypothesis import given
from hypothesis import strategies as st

from tickwire.config.share import GroupShare, part_of
from tickwire.kafka.sharing.membership import SESSION_S, Membership

NOW_MS = 1_700_000_000_000


def member(*parts: int, floor: int = 0, at: float = 0.0, now_ms: int = NOW_MS) -> Membership:
    """One that has *parts*, and Kafka has its promises."""
    ours = Membership()
    for part in parts:
        ours.give(part, floor)
    ours.kept(ours.due(now_ms), at)
    return ours


def test_no_epoch_begins_before_kafka_has_a_promise_and_none_above_it() -> None:
    ours = Membership()
    ours.give(3, NOW_MS)
    assert not ours.may_begin(3, NOW_MS + 1, 0.0)
    promises = ours.due(NOW_MS)
    assert not ours.may_begin(3, NOW_MS + 1, 0.0)
    ours.kept(promises, 0.0)
    assert ours.may_begin(3, promises[3], 0.1)
    assert not ours.may_begin(3, promises[3] + 1, 0.1)
    assert not ours.may_begin(4, NOW_MS + 1, 0.1)


def test_promises_run_ahead_of_the_clock_and_of_what_began_and_never_fall() -> None:
    ours = member(1, floor=NOW_MS + 3_600_000)  # the owner before had a clock an hour ahead
    assert ours.most(1) > NOW_MS + 3_600_000
    assert ours.last(1) == NOW_MS + 3_600_000
    before = ours.most(1)
    assert ours.due(NOW_MS - 7_200_000)[1] >= before
    ours.begun(1, before)
    assert ours.due(NOW_MS)[1] > before


def test_a_member_is_sure_for_less_than_a_session_after_it_sent_what_kafka_took() -> None:
    ours = member(1, at=100.0)
    assert ours.sure(100.0)
    assert not ours.sure(100.0 + SESSION_S - 0.5)
    assert not ours.may_begin(1, NOW_MS + 1, 100.0 + SESSION_S - 0.5)
    ours.kept(ours.due(NOW_MS), 106.0)
    assert ours.may_begin(1, NOW_MS + 1, 106.0)
    ours.doubt()
    assert not ours.may_begin(1, NOW_MS + 1, 106.0)


def test_in_what_is_handed_over_no_epoch_begins_and_the_last_one_is_told() -> None:
    ours = member(1, 2)
    ours.begun(1, NOW_MS + 7)
    asked = ours.due(NOW_MS)  # on its way still
    assert ours.end([1]) == {1: NOW_MS + 7}
    ours.kept(asked, 0.0)
    assert not ours.may_begin(1, NOW_MS + 8, 0.1)
    assert ours.parts == {2}
    assert set(ours.due(NOW_MS)) == {2}
    ours.take([1])
    assert ours.end([1]) == {}


def test_what_was_lost_in_an_outage_is_served_on_until_kafka_has_been_back_for_a_session() -> None:
    ours = member(1, 2)
    ours.lose([1, 2])
    assert ours.parts == ours.lost == {1, 2}
    assert not ours.sure(0.1)
    assert ours.due(NOW_MS) == {}
    assert ours.overdue(1000.0, outage=True) == frozenset()
    assert ours.overdue(1000.0, outage=False) == frozenset()
    assert ours.overdue(1000.0 + SESSION_S - 0.1, outage=False) == frozenset()
    assert ours.overdue(1000.0 + SESSION_S, outage=True) == frozenset()  # away again
    assert ours.overdue(1100.0, outage=False) == frozenset()
    assert ours.find(2)
    assert ours.overdue(1100.0 + SESSION_S, outage=False) == {1}
    assert not ours.find(3)


@given(
    clocks=st.lists(st.integers(-10_000_000, 10_000_000), min_size=2, max_size=6),
    epochs=st.lists(st.integers(0, 5), min_size=2, max_size=6),
    orderly=st.booleans(),
)
def test_each_owner_begins_above_all_before_it_whatever_their_clocks_say_and_however_they_ended(
    clocks: list[int], epochs: list[int], orderly: bool
) -> None:
    in_kafka, last = 0, 0
    for clock, count in zip(clocks, epochs, strict=False):
        ours, now_ms = Membership(), NOW_MS + clock
        ours.give(1, in_kafka)
        promises = ours.due(now_ms)
        in_kafka = promises[1]
        ours.kept(promises, 0.0)
        book = ours.last(1)
        for _ in range(count):
            epoch = now_ms if book + 1 < now_ms <= ours.most(1) else book + 1
            if ours.may_begin(1, epoch, 0.1):
                assert last < epoch <= in_kafka
                book = last = epoch
                ours.begun(1, epoch)
        if orderly:
            in_kafka = ours.end([1])[1]
            assert in_kafka >= last


def test_a_symbol_falls_into_a_part_whatever_else_is_in_the_list_and_each_into_one() -> None:
    names = [f"C{i}-USD" for i in range(500)]
    shares = [GroupShare(exchange="kraken", parts=frozenset(range(n, 64, 3)), count=64) for n in range(3)]
    taken = [share.take(names, str) for share in shares]
    assert sorted(name for names_ in taken for name in names_) == sorted(names)
    assert min(map(len, taken)) > 100
    assert shares[0].take(names[::-2], str) == [name for name in names[::-2] if name in taken[0]]
    assert part_of(b"binance|BTC-USDT", 64) == 56  # as on every other machine
