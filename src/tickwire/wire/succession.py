"""How one connection follows another. Pure: computes the next step from the states of both."""

from typing import Literal, TypeAlias

Present: TypeAlias = Literal["serving", "due", "lost"]
"""State of the serving connection: *due* means that it is to be replaced."""

Successor: TypeAlias = Literal["none", "ready", "late", "lost"]
"""State of the one to replace it: *ready* if it has all that the serving one has, *late* if that took too long."""

Step: TypeAlias = Literal["serve", "open", "hand over", "drop", "end"]
"""Keep serving; open a successor; let it serve; try another one after a while; end with the lost connection.
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
