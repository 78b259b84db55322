"""Producers that settle in a folder of the spill, and go."""

from collections.abc import Sequence
from pathlib import Path

from tickwire.kafka.spill import Disk, Home, Owner, Work, served, settle
from tickwire.records.codec import record_key

TOPICS = ("orderbook.v1.raw", "ticks.v1.raw")


def owner(cluster: str | None, brokers: str = "a:9092") -> Owner:
    return Owner(cluster=cluster, brokers=brokers, topics=TOPICS)


def work(symbols: str, of: str = "", kinds: Sequence[str] = ("orderbook",), exchange: str = "binance") -> Work:
    """The work of a producer; each letter is a symbol."""
    serves, all_ = (
        frozenset(served(kind, record_key(exchange, symbol)) for kind in kinds for symbol in text)
        for text in (symbols, symbols + of)
    )
    return Work(serves, all_)


def start(
    root: Path, symbols: str, cluster: str | None = "one", *, brokers: str = "a:9092", of: str = "",
    kinds: Sequence[str] = ("orderbook",), max_bytes: int = 1 << 20,
) -> Home:  # fmt: skip
    disk = Disk(root, max_bytes, 500)
    return settle(disk, "binance", work(symbols, of, kinds), owner(cluster, brokers))


def stop(home: Home) -> None:
    home.epochs.close()
    home.log.close()
