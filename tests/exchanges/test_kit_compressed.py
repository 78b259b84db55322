"""Compressed frames: unpacked, bounded, refused where they are not whole."""

import gzip

import pytest

from tickwire.errors import FrameRejected
from tickwire.exchanges.kit import gunzipped

TEXT = b'{"ping":1}'
PACKED = gzip.compress(TEXT, mtime=0)  # always the same, as it names tests


def test_a_gzip_file_is_unpacked_up_to_the_bound() -> None:
    assert gunzipped(gzip.compress(TEXT), 1 << 20) == TEXT
    assert gunzipped(gzip.compress(TEXT), len(TEXT)) == TEXT
    assert gunzipped(gzip.compress(b""), 1) == b""


@pytest.mark.parametrize("size", [len(TEXT) + 1, 50_000_000])
def test_what_would_be_longer_is_refused(size: int) -> None:
    with pytest.raises(FrameRejected) as caught:
        gunzipped(gzip.compress(bytes(size)), len(TEXT))
    assert caught.value.reason == "oversize"


@pytest.mark.parametrize(
    "payload",
    [b"", TEXT, b"\x1f\x8b", PACKED[:-1], PACKED + b"x", PACKED[:-5] + b"12345"],
)
def test_what_is_not_one_whole_file_is_refused(payload: bytes) -> None:
    with pytest.raises(FrameRejected) as caught:
        gunzipped(payload, 1 << 20)
    assert caught.value.reason == "malformed"
