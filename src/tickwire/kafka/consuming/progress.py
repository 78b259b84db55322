"""Which offsets may be committed: the end of what is finished, per partition. Pure.

A committed offset says that everything before it is done. Records of a partition are finished in their order, so it
never falls while the partition stays ours. Work on a partition that was lost in between has no effect.
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

Partition: TypeAlias = tuple[str, int]  # topic, number


class Progress:
    """How far one partition has come during one assignment. Whoever works on its records keeps this beside them.

    One thread at a time finishes; another one may read, offer and confirm meanwhile.
    """

    def __init__(self, position: int, committed: int | None) -> None:
        self.position = position  # everything below is finished
        self.ours = True
        self._committed = committed
        self._count = 0  # records finished
        self._confirmed = 0  # of these, how many are surely below the committed offset
        self._offered: tuple[int, int] | None = None  # an offset on its way to Kafka, and the count then

    def finish(self, offset: int, count: int = 1) -> bool:
        """Note that *count* records are done, the last one at *offset*; Kafka may leave offsets out (compaction).

        False: the partition was lost in between, and the work does not count.
        """
        if not self.ours:
            return False
        if offset < self.position:
            raise ValueError(f"offset {offset} is finished after {self.position - 1}")
        self.position = offset + 1
        self._count += count  # after the position: whoever reads the count first sees no less of the position
        return True

    def skip(self, offset: int) -> None:
        """Go on at a later *offset* because what is before it is gone."""
        if offset < self.position:
            raise ValueError(f"cannot skip from {self.position} to {offset}")
        self.position = offset

    @property
    def uncommitted(self) -> int:
        """How many finished records would come again after a crash now, at most."""
        return self._count - self._confirmed

    @property
    def due(self) -> bool:
        """Tell whether the group does not know :attr:`position` yet."""
        return self.position != self._committed

    def offer(self) -> int:
        """The offset to commit now."""
        count = self._count
        offset = self.position
        self._offered = offset, count
        return offset

    def confirm(self, offset: int) -> bool:
        """Note that Kafka has stored *offset* for the group; False if that was known."""
        if self._offered is not None and self._offered[0] == offset:
            self._confirmed = self._offered[1]
        known = offset == self._committed
        self._committed = offset
        return not known


class CommitTracker:
    """The partitions that are ours now."""

    def __init__(self) -> None:
        self._assigned: dict[Partition, Progress] = {}

    def assign(self, partition: Partition, position: int, committed: int | None) -> Progress:
        """Take a partition over, to be read from *position*; *committed* is what the group knows of it, if anything."""
        self.lose([partition])
        progress = self._assigned[partition] = Progress(position, committed)
        return progress

    def lose(self, partitions: Iterable[Partition]) -> None:
        """Give partitions up; what is unfinished of them no longer counts."""
        for partition in partitions:
            progress = self._assigned.pop(partition, None)
            if progress is not None:
                progress.ours = False

    def assigned(self) -> Mapping[Partition, Progress]:
        """Every partition that is ours."""
        return self._assigned

    def due(self) -> dict[Partition, int]:
        """Offsets worth committing now."""
        return {partition: progress.offer() for partition, progress in self._assigned.items() if progress.due}

    def confirm(self, partition: Partition, offset: int) -> bool:
        """Note that Kafka has stored *offset*; False if that was known, or the partition is no longer ours."""
        progress = self._assigned.get(partition)
        return progress is not None and progress.confirm(offset)
