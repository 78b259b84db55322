"""A checksum of the C sources, which ``setup.py`` builds into the compiled part to tell whether it is current."""

import zlib
from pathlib import Path

INTERFACE = 1  # version of the interface between the compiled part and Python; raise it for incompatible changes


def stamp(sources: Path) -> str:
    """Give the interface's number and a checksum of the C *sources*."""
    found = sorted(sources.glob("*.[ch]"))
    return f"{INTERFACE} {zlib.crc32(b''.join(path.read_bytes() for path in found)):08x}"


def mismatch(built: str, sources: Path) -> str:
    """Why a compiled part with the stamp *built* must not be used; empty if it may be.

    An installed package has no C *sources*: it was built together with its compiled part, so only the interface counts.
    """
    expected = stamp(sources) if sources.is_dir() else f"{INTERFACE} {built.partition(' ')[2]}"
    if built == expected:
        return ""
    return f"built from other sources (it is {built or 'without a stamp'}, expected {expected}): install it again"
