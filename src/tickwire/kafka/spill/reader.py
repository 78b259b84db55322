"""Reads the log's files one after the other, while the last of them grows."""

import os
from collections.abc import Iterator, Sequence

from tickwire.kafka.spill.segment import HEADER_BYTES, Frame, Segment, frames


class Reader:
    """A position in the log. ``segments`` is the log's own list, which grows and shrinks; methods raise OSError."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = segments
        self._segment: Segment | None = None
        self._fd = -1
        self._offset = 0  # up to which self._frames reads
        self._frames: Iterator[Frame] = iter(())

    def next(self) -> Frame | None:
        """Return the next intact frame, or None at the current end."""
        while True:
            frame = next(self._frames, None)
            if frame is not None:
                return frame
            segment = self._segment
            if segment is not None and self._offset < segment.size:
                self._frames = frames(self._fd, segment, self._offset, segment.size)
                self._offset = segment.size
            elif not self._enter_next():
                return None

    def _enter_next(self) -> bool:
        last = self._segment
        following = next((s for s in self._segments if last is None or s.first > last.first), None)
        if following is None:
            return False
        fd = os.open(following.path, os.O_RDONLY)
        self.close()
        self._segment, self._fd, self._offset = following, fd, HEADER_BYTES
        return True

    def leave(self, segment: Segment) -> None:
        """Close a file that is removed: while it is open, its disk space is not freed."""
        if segment is self._segment:
            self.close()

    def close(self) -> None:
        """Close the current file and go back to the first one; closing twice does nothing."""
        self._frames = iter(())
        self._segment = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
