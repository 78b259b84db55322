"""Frames that come compressed."""

import zlib

from tickwire.errors import FrameRejected
from tickwire.exchanges.contract import malformed

_GZIP = 16 + zlib.MAX_WBITS  # https://docs.python.org/3/library/zlib.html#zlib.decompress


def gunzipped(payload: bytes, most: int) -> bytes:
    """Decompress a gzip file of one member to at most *most* bytes.

    Raises :exc:`~tickwire.errors.FrameRejected`, before more than that is decompressed.
    """
    unpacker = zlib.decompressobj(_GZIP)
    try:
        content = unpacker.decompress(payload, most)
    except zlib.error as e:
        raise malformed("frame", e) from None
    if unpacker.unconsumed_tail:
        raise FrameRejected("oversize", f"a frame of more than {most} bytes, unpacked")
    if not unpacker.eof or unpacker.unused_data:
        raise malformed("frame", "not one whole gzip file")
    return content
