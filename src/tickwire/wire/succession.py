"""How one connection follows another. Pure: what is true of both goes in, what to do next comes out."""

from typing import Literal, TypeAlias

Present: TypeAlias = Literal["serving", "due", "lost"]
"""The connection that serves: *due* is one that is to be replaced."""

Successor: TypeAlias = Literal["none", "ready", "late", "lost"]
"""The one that is to replace it: *ready* with all that the present one has, or *late* with it."""

Step: TypeAlias = Literal["serve", "open", "hand over", "drop", "end"]
"""Serve on; open a successor and let it get ready; let it serve; try another one after a while; end with what is lost.
"""


def next_step(present: Present, successor: Successor, *, over: bool) -> Step:
    """Say what is to be done about two connections; nothing is handed over where all is *over*."""
    if present == "lost":  # what follows begins as always: a successor has handed nothing out yet
        return "end"
    if present == "serving":
        return "serve"
    if successor == "none":
        return "open"
    return "hand over" if successor == "ready" and not over else "drop"
