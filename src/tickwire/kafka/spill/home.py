"""The folder of one producer: its name, the records it takes over from other folders, and the cluster they are for.

Below the root are ``SOURCE/NAME`` folders, whose name is a hash of what their producer serves: so producers with
different symbols run side by side, and two with the same are noticed. Before a producer writes its first record, it
moves the records of its own symbols out of every folder that no process uses: so a key's records are in one folder, in
order, whatever symbols or workers there were before. Records that no producer serves stay, and are logged.

A producer of several exchanges has a folder below ``SOURCE+SOURCE``, and takes over from the folders of each.

Earlier versions had ``SOURCE/TICKER_TOPIC/ORDERBOOK_TOPIC`` folders, which are emptied in the same way.
"""

import fcntl
import logging
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex

import msgspec

from tickwire import metrics
from tickwire.errors import SpillFull, SpillInUse, SpillOfAnotherCluster, SpillUnusable
from tickwire.kafka.spill.epochs import EPOCH, Epochs, read_epoch
from tickwire.kafka.spill.folder import DONE, LOCK, lock, replace
from tickwire.kafka.spill.log import SpillLog
from tickwire.kafka.spill.owner import OWNER, Owner, load_owner, save_owner
from tickwire.kafka.spill.segment import SUFFIX
from tickwire.kafka.spill.sync import unusable

logger = logging.getLogger(__name__)

SOURCES = "+"  # joins the exchanges of one producer
_TURN = "turn"  # lock file of whoever inspects the folders, so that no folder is taken meanwhile
_DEPTHS = ("*/*", "*/*/*")  # of folders below the root: ours, and those of earlier versions
_NO_LIMIT = 1 << 62
_BATCH = 10_000  # records moved at once, with one fsync


@dataclass(frozen=True, slots=True)
class Work:
    """What a producer serves, named by :func:`served`; *of* is what all workers serve together.

    *said*: it is known what is served, even if that is nothing. *names*: this worker logs records that no producer
    serves. All records of *exchanges* are taken over, because their symbols are not known yet, or because the producer
    is a member of a *group*, whose symbols change.
    """

    serves: frozenset[str] = frozenset()
    of: frozenset[str] = frozenset()
    said: bool = False
    names: bool = True
    exchanges: frozenset[str] = frozenset()
    group: str | None = None

    def takes(self, name: str) -> bool:
        """Whether this producer sends the records of *name*."""
        return name in self.serves or name.partition(" ")[2].partition("|")[0] in self.exchanges


@dataclass(frozen=True, slots=True)
class Disk:
    """The root folder and the limits of the logs in it."""

    root: Path
    max_bytes: int
    fsync_ms: int


class Home:
    """A folder that this process has locked."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        """Lock and open it. Raises SpillUnusable and OSError."""
        self.folder = folder
        self.log, self.lost = _open(folder, disk.max_bytes, disk.fsync_ms)
        self.owner = load_owner(folder)
        self.epochs = Epochs(folder, read_epoch(folder))
        self._signing = threading.Lock()  # a thread may change what is served while another agrees on the cluster

    def agree(self, cluster: str, brokers: str) -> None:
        """Agree to send the records to *cluster*.

        Raises SpillOfAnotherCluster if they are for another one, and OSError.
        """
        with self._signing:
            ours = msgspec.structs.replace(self.owner, cluster=cluster, brokers=brokers)
            if self.log.records:
                _check(self.folder, self.owner, ours)
            self.sign(ours)

    def change(self, root: Path, added: Mapping[str, frozenset[str]], removed: frozenset[str]) -> dict[str, str]:
        """Serve the *added* names, given for each symbol, and stop serving the *removed* ones; blocks.

        Return the refused symbols with the reason: another process serves them, or records of them wait in another
        folder. Removed names stay ours while records wait here. Raises OSError.
        """
        refused: dict[str, str] = {}
        with turn(root):
            waits = set(waiting(root))
            for folder in _beside(self.folder, root):
                theirs = frozenset(load_owner(folder).serves)
                both = [symbol for symbol, names in added.items() if not names.isdisjoint(theirs)]
                if both and (process := user_of(folder)) is not None:
                    refused |= dict.fromkeys(both, f"process {process} publishes it too")
                elif both and folder in waits:
                    refused |= dict.fromkeys(both, f"{folder} may have records of it, which the next start sends first")
            new = frozenset[str]().union(*(names for symbol, names in added.items() if symbol not in refused))
            with self._signing:
                kept = frozenset(self.owner.serves) - (frozenset() if self.log.records else removed)
                self.sign(msgspec.structs.replace(self.owner, serves=tuple(sorted(kept | new))))
        return refused

    def sign(self, owner: Owner) -> None:
        """Save the owner of the records. Raises OSError."""
        if owner != self.owner:
            save_owner(self.folder, owner)
            self.owner = owner

    def take_over(self, folder: Path, work: Work) -> int:
        """Move the records that *work* serves behind our own; return how many of the folder are left.

        Raises SpillUnusable, SpillOfAnotherCluster, SpillFailed and OSError.
        """
        log, lost = _open(folder, _NO_LIMIT, 0)
        self.lost += lost
        try:
            strays = self._move(folder, log, work)
        finally:
            log.close()
        if log.empty:
            remove(folder)
        return strays

    def _move(self, folder: Path, log: SpillLog, work: Work) -> int:
        strays, agreed = 0, False
        while batch := log.read(_BATCH):
            names = [served(record.kind, record.key) for _, record in batch]
            strays += sum(name not in work.of and not work.takes(name) for name in names)
            ours = [pair for pair, name in zip(batch, names, strict=True) if work.takes(name)]
            if not ours:
                continue
            if not agreed:
                self._agree_with(folder)
                agreed = True
            topics = {*self.owner.topics, *(record.topic for _, record in ours)}
            self.sign(msgspec.structs.replace(self.owner, topics=tuple(sorted(topics))))
            moved: list[int] = []
            try:
                moved.extend(self.log.append(record) for _, record in ours)
            except SpillFull as e:
                for number in moved:  # undo: they are still in the old folder
                    self.log.acknowledge(number)
                reason = f"it has no room for what waits in {folder}"
                raise SpillUnusable(str(self.folder), reason, "raise KAFKA_SPILL_MAX_BYTES or free its disk") from e
            self.log.flush()
            for number, _ in ours:
                log.acknowledge(number)
        return strays

    def _agree_with(self, folder: Path) -> None:
        theirs = load_owner(folder)
        if self.owner.cluster is None and self.log.empty and not theirs.unknown:  # decided once Kafka is reached
            self.sign(msgspec.structs.replace(self.owner, cluster=theirs.cluster, brokers=theirs.brokers))
        _check(folder, theirs, self.owner)


def served(kind: str, key: bytes) -> str:
    """The name for records of this type and key, as producers serve them."""
    return f"{kind} {key.decode(errors='replace')}"


def settle(disk: Disk, source: str, work: Work, ours: Owner) -> Home:
    """Take the folder of a producer of *source*, and move in records of the same keys from others; blocks.

    *ours* says where its records go. If the cluster is not known yet, :meth:`Home.agree` decides later.

    Raises SpillUnusable, SpillOfAnotherCluster and SpillFailed.
    """
    with _taken(disk, disk.root / source / _name(work)) as home:
        _settle(home, disk.root, work, ours)
    return home


def take(disk: Disk, folder: Path, ours: Owner) -> Home:
    """Take one folder as it is, whatever it serves, for the cluster of *ours*. Raises as :func:`settle`."""
    with _taken(disk, folder) as home:
        if ours.cluster is not None:
            home.agree(ours.cluster, ours.brokers)
    return home


@contextmanager
def _taken(disk: Disk, folder: Path) -> Iterator[Home]:
    """Take a folder; give it back if the body fails."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with turn(disk.root):
            home = Home(folder, disk)
            try:
                yield home
            except BaseException:
                home.log.close()
                raise
    except OSError as e:
        raise unusable(folder, e) from e


@contextmanager
def turn(root: Path) -> Iterator[None]:
    """Keep other processes from taking or removing folders below *root*. Raises OSError."""
    fd = os.open(root / _TURN, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def waiting(root: Path) -> list[Path]:
    """Every folder with records, in use or not."""
    return sorted({file.parent for deep in _DEPTHS for file in root.glob(f"{deep}/*{SUFFIX}")})


def source_of(root: Path, folder: Path) -> str:
    """The exchange of a folder, or several joined by :data:`SOURCES`."""
    return re.sub(r"\.\d+-of-\d+$", "", folder.relative_to(root).parts[0])


def user_of(folder: Path) -> str | None:
    """The number of the process that uses a folder, None if there is none; call it within :func:`turn`.

    Raises OSError.
    """
    try:
        os.close(lock(folder))
    except SpillInUse as e:
        return e.owner
    return None


def remove(folder: Path) -> None:
    """Delete an unused folder, and parents that become empty; its epoch is kept. Raises OSError.

    Call it within :func:`turn`.
    """
    epoch, family = read_epoch(folder), folder.parent
    if epoch > read_epoch(family):
        replace(family / EPOCH, str(epoch).encode())
    for file in (*folder.glob(f"*{SUFFIX}"), *(folder / name for name in (DONE, EPOCH, OWNER, LOCK))):
        file.unlink(missing_ok=True)
    with suppress(OSError):  # a parent is not empty
        for empty in (folder, *folder.parents[:2]):
            empty.rmdir()


def _settle(home: Home, root: Path, work: Work, ours: Owner) -> None:
    before, empty = home.owner, home.log.empty
    topics = ours.topics if empty else tuple(sorted({*ours.topics, *before.topics}))
    home.sign(msgspec.structs.replace(before, topics=topics, serves=tuple(sorted(work.serves))))
    if ours.cluster is not None:
        home.agree(ours.cluster, ours.brokers)
    elif empty:
        home.sign(msgspec.structs.replace(home.owner, cluster=None, brokers=ours.brokers))
    idle = {folder for folder in waiting(root) if folder != home.folder}
    beside = _beside(home.folder, root)
    families = _of_same_source(home.folder, root, filter(Path.is_dir, root.iterdir()))
    home.epochs = Epochs(home.folder, max((home.epochs.last, *map(read_epoch, (*families, *beside)))))
    for folder in beside:
        try:
            strays = home.take_over(folder, work)
        except SpillInUse as e:
            _refuse_same_work(folder, work, e.owner)
            strays = 0
        if not strays:
            idle.discard(folder)
    home.epochs.open()
    if work.names:
        _name_unowned({folder for folder in idle if user_of(folder) is None})


def _beside(home: Path, root: Path) -> list[Path]:
    """The other folders of the same exchange, with or without records."""
    used = {file.parent for deep in _DEPTHS for file in root.glob(f"{deep}/{LOCK}")}
    return _of_same_source(home, root, (used | set(waiting(root))) - {home})


def _of_same_source(home: Path, root: Path, folders: Iterable[Path]) -> list[Path]:
    sources = set(home.parent.name.split(SOURCES))
    return sorted(folder for folder in folders if not sources.isdisjoint(source_of(root, folder).split(SOURCES)))


def _refuse_same_work(folder: Path, work: Work, process: str) -> None:
    owner = load_owner(folder)
    both = sorted(work.serves.intersection(owner.serves))
    if both:
        raise SpillInUse(str(folder), process, f"publishes {both[0]} too")
    if owner.unknown and not owner.serves:  # of an earlier version, which did not save what it serves
        raise SpillInUse(str(folder), process)


def _check(folder: Path, theirs: Owner, ours: Owner) -> None:
    if not theirs.is_for_cluster_of(ours):
        raise SpillOfAnotherCluster(str(folder), str(theirs), str(ours))
    if theirs.unknown:
        logger.warning("spill.adopted folder=%s cluster=%s (an earlier version did not keep which one)", folder, ours)


def _open(folder: Path, max_bytes: int, fsync_ms: int) -> tuple[SpillLog, int]:
    """Open a log; report and count damaged records."""
    log = SpillLog.open(folder, max_bytes=max_bytes, fsync_ms=fsync_ms)
    found = log.recovered
    for sentence in found.sentences:
        logger.warning("spill.damage folder=%s: %s", folder, sentence)
    metrics.SPILL_LOST.inc(found.lost_records)
    metrics.SPILL_TORN.inc(found.torn_records)
    metrics.SPILL_CUT.inc(found.torn_bytes)
    return log, found.lost_records


def _name_unowned(idle: set[Path]) -> None:
    """Log in one line the records on disk that no producer sends."""
    if idle:
        size = sum(file.stat().st_size for folder in idle for file in folder.glob(f"*{SUFFIX}"))
        logger.warning(
            "spill.unowned folders=%d bytes=%d first=%s (nobody sends these: see `tickwire spill list`)",
            len(idle), size, min(idle),
        )  # fmt: skip


def _name(work: Work) -> str:
    """Name a folder by what is served. Several producers may serve nothing at once, such as workers without symbols."""
    if work.group is not None:
        return f"group.{work.group}.{token_hex(3)}"
    if not work.serves:
        return token_hex(6) if work.said else "all"
    return blake2b(" ".join(sorted(work.serves)).encode(), digest_size=6).hexdigest()
