"""Whose records a folder holds: the Kafka cluster that they are for, and what its producer serves."""

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from tickwire.kafka.spill.folder import TEMPORARY, sync_folder

OWNER = "owner.json"


class Owner(Struct, frozen=True, kw_only=True):
    """What is known of a folder. All of it is unknown for one of an earlier version (:attr:`unknown`)."""

    cluster: str | None = None  # as the brokers name it; None until they were reached
    brokers: str = ""  # KAFKA_BROKERS, sorted
    topics: tuple[str, ...] = ()  # to which its records may go
    serves: tuple[str, ...] = ()  # types and keys of records, such as "ticker binance|BTC-USDT"

    @property
    def unknown(self) -> bool:
        """Whether nothing says which cluster it is for."""
        return self.cluster is None and not self.brokers

    def is_for_cluster_of(self, other: "Owner") -> bool:
        """Whether both are for one cluster: by its id, or by the brokers' addresses while one id is not known."""
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
    """Read what :func:`save_owner` wrote; nothing is known where that is missing or damaged. Raises OSError."""
    try:
        return msgspec.json.decode((folder / OWNER).read_bytes(), type=Owner)
    except (FileNotFoundError, msgspec.DecodeError):
        return Owner()


def save_owner(folder: Path, owner: Owner) -> None:
    """Replace the file, at once and for good. Raises OSError."""
    replace(folder / OWNER, msgspec.json.encode(owner))


def replace(path: Path, content: bytes) -> None:
    """Let *path* have this *content*, at once and for good. Raises OSError."""
    temporary = path.with_name(path.name + TEMPORARY)
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)
