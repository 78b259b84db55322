"""Which dead letters of a partition a replay has handled, small enough to be committed with the offset.

A committed offset means "everything before"; a replay that selects some letters would skip the others or repeat the
selected ones. So the commit's metadata, which Kafka keeps with the offset, has one bit for each offset from there on: 1
means handled.
"""

import base64
import binascii
import zlib
from collections.abc import Iterable

METADATA_BYTES = 4096  # a broker's default offset.metadata.max.bytes
_VERSION = "tickwire-1"
_LARGEST_BITMAP = 64 * 1024 * 1024  # guards against metadata that decompresses to more than the memory


class Handled:
    """The offsets before ``position``, and some after it."""

    __slots__ = ("_bits", "position")

    def __init__(self, position: int = 0, later: Iterable[int] = ()) -> None:
        self.position = position
        self._bits = 0
        for offset in later:
            self.add(offset, offset + 1)

    def __contains__(self, offset: int) -> bool:
        return offset < self.position or bool(self._bits >> (offset - self.position) & 1)

    def add(self, first: int, end: int) -> None:
        """Add the offsets from *first* to before *end*."""
        if first > self.position:
            if end > first:
                self._bits |= ((1 << (end - first)) - 1) << (first - self.position)
        elif end > self.position:  # no bits are needed: a first offset can be any number
            self._bits >>= end - self.position
            self.position = end
            self._advance()

    def copy(self) -> "Handled":
        """A copy."""
        other = Handled(self.position)
        other._bits = self._bits
        return other

    @property
    def gaps(self) -> bool:
        """Whether there are offsets after the position."""
        return self._bits != 0

    def encode(self) -> str:
        """Write the metadata for a commit at ``position``."""
        bits = self._bits.to_bytes((self._bits.bit_length() + 7) // 8, "little")
        packed = base64.b64encode(zlib.compress(bits, 9)).decode() if bits else ""
        return f"{_VERSION} {packed}"

    @classmethod
    def decode(cls, position: int, metadata: str | None) -> "Handled":
        """Read a commit. With metadata of other tools only the position counts."""
        handled = cls(position)
        version, _, packed = (metadata or "").partition(" ")
        if version != _VERSION:
            return handled
        try:
            unpacked = zlib.decompressobj().decompress(base64.b64decode(packed, validate=True), _LARGEST_BITMAP)
        except (binascii.Error, zlib.error):
            return handled
        handled._bits = int.from_bytes(unpacked, "little")
        handled._advance()
        return handled

    def _advance(self) -> None:
        ones = (~self._bits & (self._bits + 1)).bit_length() - 1  # number of leading ones
        self.position += ones
        self._bits >>= ones
