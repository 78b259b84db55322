"""Listings that come in pages, each of which says where the next one begins."""

from collections.abc import Callable
from urllib.parse import quote

from tickwire.exchanges.contract import Reading, Request, malformed
from tickwire.exchanges.symbols import Listing, joined

_MOST = 50  # more means that the exchange repeats itself


def pages(path: str, read: Callable[[bytes], tuple[Listing, str]]) -> Reading[Listing]:
    """Fetch *path*, then again with each ``cursor`` that *read* returns with a page.

    The last page has no cursor, or one that was used before.

    Raises :exc:`~tickwire.errors.FrameRejected`.
    """
    parts: list[Listing] = []
    cursors = [""]
    for _ in range(_MOST):
        last = cursors[-1]
        part, cursor = read((yield Request(f"{path}&cursor={quote(last, safe='')}" if last else path)))
        parts.append(part)
        if cursor in cursors:
            return joined(parts)
        cursors.append(cursor)
    raise malformed("listing", f"it has more than {_MOST} pages")
