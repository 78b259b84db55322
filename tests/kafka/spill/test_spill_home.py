"""Which folder a producer takes, what it takes over from others, and for which cluster: no Kafka needed."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from kafka.spill.home_support import TOPICS, owner, start, stop, work
from kafka.spill.spill_support import fast_folder, open_log
from tickwire.errors import SpillInUse, SpillOfAnotherCluster, SpillUnusable
from tickwire.kafka.spill import Disk, Home, Owner, SpillLog, Work, settle
from tickwire.kafka.spill.home import waiting
from tickwire.kafka.spill.looking import look
from tickwire.records.codec import Record, record_key


def record(symbol: str, number: int, kind: str = "orderbook", exchange: str = "binance") -> Record:
    return Record(f"{kind}.v1.raw", record_key(exchange, symbol), b"%d" % number, [], number, kind, exchange)


def leave(log: SpillLog, symbols: str, numbers: range = range(3), exchange: str = "binance") -> None:
    for number in numbers:
        for symbol in symbols:
            log.append(record(symbol, number, exchange=exchange))


def waits(log: SpillLog) -> dict[str, list[int]]:
    """The numbers that wait for each symbol, in their order."""
    found: dict[str, list[int]] = {}
    log.rewind()
    while batch := log.read(7):
        for _, one in batch:
            found.setdefault(one.key.decode().partition("|")[2], []).append(int(one.value))
    return found


def left_by_run(root: Path, symbols: str, cluster: str | None = "one") -> Path:
    home = start(root, symbols, cluster)
    leave(home.log, symbols)
    stop(home)
    return home.folder


def left_by_an_earlier_version(root: Path, symbols: str, source: str = "binance") -> Path:
    folder = root / source / "ticks.v1.raw" / "orderbook.v1.raw"
    log = open_log(folder)
    leave(log, symbols)
    log.close()
    return folder


def test_the_same_work_finds_its_folder_again_whatever_the_topics_are_called(root: Path) -> None:
    left_by_run(root, "AB")
    home = settle(
        Disk(root, 1 << 20, 500), "binance", work("AB"), Owner(cluster="one", brokers="a:9092", topics=("x",))
    )
    assert waits(home.log) == {"A": [0, 1, 2], "B": [0, 1, 2]}
    assert home.owner.topics == (*TOPICS, "x")


def change(home: Home, root: Path, added: str, removed: str = "") -> dict[str, str]:
    return home.change(root, {symbol: work(symbol).serves for symbol in added}, work(removed).serves)


def test_what_is_added_is_served_unless_another_process_serves_it_or_it_waits_elsewhere(root: Path) -> None:
    stop(start(root, "F"))  # and nothing of it waits
    left = left_by_run(root, "E")
    ours, other = start(root, "A"), start(root, "B")
    refused = change(ours, root, "BCEF")
    assert refused.keys() == {"B", "E"}
    assert "publishes it too" in refused["B"]
    assert str(left) in refused["E"]
    assert set(ours.owner.serves) == work("ACF").serves
    with pytest.raises(SpillInUse):
        start(root, "CD")
    assert change(other, root, "A").keys() == {"A"}
    assert waits(open_log(left)) == {"E": [0, 1, 2]}


def test_what_is_removed_may_be_served_by_another_process_once_nothing_waits(root: Path) -> None:
    ours = start(root, "AB")
    leave(ours.log, "B")
    assert change(ours, root, "", "B") == {}
    with pytest.raises(SpillInUse):
        start(root, "B")
    for number, _ in ours.log.read(9):
        ours.log.acknowledge(number)
    assert change(ours, root, "", "B") == {}
    stop(start(root, "B"))


def test_another_list_takes_over_what_it_serves_and_leaves_the_rest(root: Path) -> None:
    old = left_by_run(root, "AB")
    home = start(root, "BC")
    assert waits(home.log) == {"B": [0, 1, 2]}
    assert look(old).records == 3
    stop(home)
    assert waits(start(root, "A").log) == {"A": [0, 1, 2]}
    assert old not in waiting(root)


def test_records_of_another_type_stay_with_who_serves_them(root: Path) -> None:
    left_by_run(root, "A")
    tickers, books = (start(root, "A", kinds=[kind]) for kind in ("ticker", "orderbook"))
    assert tickers.folder != books.folder
    assert waits(tickers.log) == {}
    assert waits(books.log) == {"A": [0, 1, 2]}


def test_two_with_other_symbols_work_side_by_side_and_two_with_one_in_common_do_not(root: Path) -> None:
    first = start(root, "AB")
    second = start(root, "CD")
    leave(first.log, "AB")
    leave(second.log, "CD")
    for symbols in ("AB", "BX", "D"):
        with pytest.raises(SpillInUse, match=r"process \d+ (publishes orderbook binance\|[BD] too|is using it)"):
            start(root, symbols)
    stop(first)
    assert waits(start(root, "A").log) == {"A": [0, 1, 2]}


@pytest.mark.parametrize("source", ["binance", "binance.1-of-2"])
def test_what_an_earlier_version_left_is_adopted_by_who_serves_it(root: Path, source: str) -> None:
    old = left_by_an_earlier_version(root, "AB", source)
    home = start(root, "A", of="B")
    assert waits(home.log) == {"A": [0, 1, 2]}
    assert waits(start(root, "B").log) == {"B": [0, 1, 2]}
    assert not old.exists()


def test_an_earlier_version_at_work_is_not_disturbed(root: Path) -> None:
    log = open_log(root / "binance" / "ticks.v1.raw" / "orderbook.v1.raw")
    with pytest.raises(SpillInUse):
        start(root, "A")
    log.close()
    start(root, "A")


@pytest.mark.parametrize("symbols", ["AB", "AC"])
def test_another_cluster_gets_nothing_of_it_and_both_are_named(root: Path, symbols: str) -> None:
    left_by_run(root, "AB", "one")
    with pytest.raises(SpillOfAnotherCluster, match=r"cluster one, not for two: .*tickwire spill"):
        start(root, symbols, "two")
    assert waits(start(root, "AB", "one").log) == {"A": [0, 1, 2], "B": [0, 1, 2]}


def test_where_nothing_waits_another_cluster_is_welcome(root: Path) -> None:
    stop(start(root, "AB", "one"))
    left_by_run(root, "AB", "two")
    with pytest.raises(SpillOfAnotherCluster):
        start(root, "AB", "one")


def test_other_symbols_go_to_another_cluster_and_the_rest_stays(root: Path) -> None:
    old = left_by_run(root, "A", "one")
    assert waits(start(root, "B", "two").log) == {}
    assert look(old).records == 3


def test_without_kafka_the_first_contact_decides(root: Path) -> None:
    left_by_run(root, "AB", "one")
    for symbols in ("AB", "A"):  # its own folder, and one that is taken over
        home = start(root, symbols, None, brokers="b:9092")
        with pytest.raises(SpillOfAnotherCluster, match="cluster one, not for two"):
            home.agree("two", "b:9092")
        home.agree("one", "b:9092")
        stop(home)


def test_what_was_left_before_the_first_contact_is_for_the_same_addresses(root: Path) -> None:
    left_by_run(root, "A", None)
    with pytest.raises(SpillOfAnotherCluster, match="at a:9092, which was never reached, not for one"):
        start(root, "A", "one", brokers="b:9092")
    assert start(root, "A", "one", brokers="a:9092").owner.cluster == "one"


def test_without_kafka_records_for_two_clusters_are_not_mixed(root: Path) -> None:
    left_by_run(root, "A", "one")
    left_by_run(root, "B", "two")
    with pytest.raises(SpillOfAnotherCluster):
        start(root, "AB", None)


def test_what_does_not_fit_is_said_and_nothing_is_lost(root: Path) -> None:
    home = start(root, "AB")
    leave(home.log, "AB", range(5000))
    stop(home)
    with pytest.raises(SpillUnusable, match="KAFKA_SPILL_MAX_BYTES"):
        start(root, "A", max_bytes=65_536)
    assert waits(start(root, "AB").log)["A"] == list(range(5000))


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sets(st.sampled_from("ABCD"), min_size=1), st.integers(1, 3), st.booleans()), max_size=6),
)
def test_a_key_keeps_its_order_whatever_lists_and_numbers_of_workers_there_were(
    runs: list[tuple[set[str], int, bool]],
) -> None:
    """Each run has a list and some workers; an unlucky one leaves what it found on disk, and adds to it."""
    written = dict.fromkeys("ABCD", 0)
    sent: dict[str, list[int]] = {symbol: [] for symbol in "ABCD"}
    with fast_folder() as root:
        for symbols, workers, unlucky in [*runs, (set("ABCD"), 1, False)]:
            listed = sorted(symbols)
            parts = [listed[i::workers] for i in range(workers) if listed[i::workers]]
            homes = [start(root, "".join(part), of="".join(listed)) for part in parts]
            for part, home in zip(parts, homes, strict=True):
                for symbol in part:
                    home.log.append(record(symbol, written[symbol]))
                    written[symbol] += 1
                if not unlucky:
                    home.log.rewind()
                    while batch := home.log.read(10):
                        for number, one in batch:
                            sent[one.key.decode()[-1]].append(int(one.value))
                            home.log.acknowledge(number)
                stop(home)
        assert waiting(root) == []
    assert sent == {symbol: list(range(count)) for symbol, count in written.items()}


def test_a_producer_of_several_exchanges_finds_what_one_of_each_left_and_they_what_it_left(root: Path) -> None:
    disk = Disk(root, 1 << 20, 500)
    kraken = settle(disk, "kraken", work("C", exchange="kraken"), owner("one"))
    kraken.epochs.given(1_700_000_000_000)
    leave(kraken.log, "C", exchange="kraken")
    stop(kraken)
    leave((first := start(root, "AB")).log, "A")
    stop(first)

    both = work("A").serves | work("C", exchange="kraken").serves
    together = settle(disk, "binance+kraken", Work(both, both), owner("one"))
    assert waits(together.log) == {"A": [0, 1, 2], "C": [0, 1, 2]}
    assert together.epochs.last == 1_700_000_000_000
    with pytest.raises(SpillInUse, match=r"publishes orderbook kraken\|C too"):
        settle(disk, "kraken", work("CD", exchange="kraken"), owner("one"))
    start(root, "B")  # another symbol of one of its exchanges
    together.epochs.given(1_700_000_000_009)
    stop(together)

    assert waits((alone := start(root, "A")).log) == {"A": [0, 1, 2]}
    assert alone.epochs.last >= 1_700_000_000_009


def test_of_an_exchange_whose_symbols_are_not_known_yet_all_that_waits_is_taken(root: Path) -> None:
    disk = Disk(root, 1 << 20, 500)
    for symbols in ("C", "D"):
        kraken = settle(disk, "kraken", work(symbols, exchange="kraken"), owner("one"))
        leave(kraken.log, symbols, exchange="kraken")
        stop(kraken)
    leave((first := start(root, "AB")).log, "AB")
    stop(first)

    ours = work("A").serves
    together = settle(disk, "binance+kraken", Work(ours, ours, exchanges=frozenset({"kraken"})), owner("one"))
    assert waits(together.log) == {"A": [0, 1, 2], "C": [0, 1, 2], "D": [0, 1, 2]}
    assert set(waiting(root)) - {together.folder} == {first.folder}  # with what is of B


def test_bytes_that_are_cut_off_the_end_between_two_runs_are_counted(root: Path) -> None:
    (file,) = left_by_run(root, "A").glob("*.spill")
    file.write_bytes(file.read_bytes()[:-3])
    before = REGISTRY.get_sample_value("kafka_spill_cut_bytes_total") or 0
    torn = REGISTRY.get_sample_value("kafka_spill_torn_total") or 0
    home = start(root, "A")  # cut off now, and not counted by a later start
    cut = home.log.recovered.torn_bytes
    assert cut > 0
    assert REGISTRY.get_sample_value("kafka_spill_cut_bytes_total") == before + cut
    assert REGISTRY.get_sample_value("kafka_spill_torn_total") == torn + 1
    assert waits(home.log) == {"A": [0, 1]}
