"""Logs where in the user's code a handler failed; each place with its traceback once."""

import asyncio
import logging
import os
import sysconfig
import traceback
from concurrent import futures
from pathlib import Path
from types import TracebackType

from tickwire.errors import RecordRejected

logger = logging.getLogger(__name__)

_PLACES = 1000  # failures in further places get one line each
_HERE = Path(__file__)
# Modules between us and the handler.
_BETWEEN = (
    str(_HERE.with_name("processing.py")),
    str(_HERE.with_name("handler_loop.py")),
    str(Path(asyncio.__file__).parent),
    str(Path(futures.__file__).parent),
)
# Folders whose code is not the user's, unless the handler itself is there.
_FOLDERS = (*(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")), str(_HERE.parents[1]))
_LIBRARIES = (*(folder + os.sep for folder in _FOLDERS), "<frozen")


class HandlerErrors:
    """Logs what handlers raise. Threads may share it: at worst a traceback is logged twice."""

    def __init__(self, handler: object) -> None:
        self._name = _name(handler)
        self._shown: set[tuple[type[BaseException], str]] = set()

    def log(self, event: str, error: Exception) -> None:
        """Log *event* with the place, the first time with the traceback from the user's first line on."""
        trace = _from_handler(error.__traceback__)
        at = _place(trace) or self._name
        seen = (type(error), at)
        in_full = not isinstance(error, RecordRejected) and seen not in self._shown and len(self._shown) < _PLACES
        if in_full:
            self._shown.add(seen)
        logger.warning("%s at=%s", event, at, exc_info=(type(error), error, trace) if in_full else None)


def _from_handler(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_BETWEEN):
        trace = trace.tb_next
    return trace


def _place(trace: TracebackType | None) -> str | None:
    """The user's line nearest to the error, e.g. ``my_handlers.py:12``; None: the handler was not even entered."""
    frames = traceback.extract_tb(trace)
    if not frames:
        return None
    theirs = [frame for frame in frames if not frame.filename.startswith(_LIBRARIES)] or frames[:1]
    return f"{Path(theirs[-1].filename).name}:{theirs[-1].lineno}"


def _name(handler: object) -> str:
    named = handler if hasattr(handler, "__qualname__") else type(handler)
    return f"{named.__module__}.{getattr(named, '__qualname__', '?')}"
