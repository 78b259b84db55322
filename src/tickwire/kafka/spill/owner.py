"""The owner of a folder's records: the Kafka cluster that they are for, and what their producer serves."""

from pathlib import Path

import msgspec
from msgspec import Struct

from tickwire.kafka.spill.folder import replace

OWNER = "owner.json"


class Owner(Struct, frozen=True, kw_only=True):
    """The owner as saved in a folder; a folder of an earlier version has none (:attr:`unknown`)."""

    cluster: str | None = None  # its id; None until a broker was reached
    brokers: str = ""  # KAFKA_BROKERS, sorted
    topics: tuple[str, ...] = ()  # that its records may be for
    serves: tuple[str, ...] = ()  # types and keys of records, such as "ticker binance|BTC-USDT"

    @property
    def unknown(self) -> bool:
        """Whether it is not known which cluster the records are for."""
        return self.cluster is None and not self.brokers

    def is_for_cluster_of(self, other: "Owner") -> bool:
        """Whether both are for one cluster: by its id, or by the brokers' addresses if an id is unknown."""
        if self.unknown or other.unknown:
            return True
        if self.cluster is not None and other.cluster is not None:
            return self.cluster == other.cluster
        return self.brokers == other.brokers

    def __str__(self) -> str:
        if self.cluster is not None:
            return self.cluster
        return f"at {self.brokers}, which was never reached" if self.brokers else "unknown"


def load_owner(folder: Path) -> Owner:
    """Read what :func:`save_owner` wrote; an unknown owner if it is missing or damaged. Raises OSError."""
    try:
        return msgspec.json.decode((folder / OWNER).read_bytes(), type=Owner)
    except (FileNotFoundError, msgspec.DecodeError):
        return Owner()


def save_owner(folder: Path, owner: Owner) -> None:
    """Save the owner, atomically and durably. Raises OSError."""
    replace(folder / OWNER, msgspec.json.encode(owner))
