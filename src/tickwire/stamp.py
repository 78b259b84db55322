"""What says whether a compiled part and the sources around it belong together; ``setup.py`` builds it in."""

import zlib
from pathlib import Path

INTERFACE = 1  # of the compiled part to Python; one more where these sources cannot work with an older one


def stamp(sources: Path) -> str:
    """Give the interface's number and a checksum of the C *sources*."""
    found = sorted(sources.glob("*.[ch]"))
    return f"{INTERFACE} {zlib.crc32(b''.join(path.read_bytes() for path in found)):08x}"


def mismatch(built: str, sources: Path) -> str:
    """Why a compiled part with the stamp *built* is not to be used; empty where it is.

    An installed package has no C *sources*, and was built together with it; there the interface counts alone.
    """
    expected = stamp(sources) if sources.is_dir() else f"{INTERFACE} {built.partition(' ')[2]}"
    if built == expected:
        return ""
    return f"built from other sources (it is {built or 'without a stamp'}, expected {expected}): install it again"
