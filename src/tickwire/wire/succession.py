"""How one connection follows another. Pure: computes the next step from the states of both."""

from typing import Literal, TypeAlias

Present: TypeAlias = Literal["serving", "due", "lost"]
"""The connection that serves: *due* is one that is to be replaced."""

Successor: TypeAlias = Literal["none", "ready", "late", "lost"]
"""The one that is to replace it: *ready* with all that the present one has, or *late* with it."""

Step: TypeAlias = Literal["serve", "open", "hand over", "drop", "end"]
"""Serve on; open a successor and let it get ready; let it serve; try another one after a while; end with what is lost.
"""


def next_step(present: Present, successor: Successor, *, over: bool) -> Step:
    """The next step for two connections; there is no hand-over if all is *over*."""
    if present == "lost":  # start as usual: a successor has handed out no events yet
        return "end"
    if present == "serving":
        return "serve"
    if successor == "none":
        return "open"
    return "hand over" if successor == "ready" and not over else "drop"
