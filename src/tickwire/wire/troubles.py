"""Which books are broken, why and since when: logged, and kept for the accounting."""

import logging
from datetime import UTC, datetime
from time import monotonic, time
from typing import Any

from tickwire.exchanges.contract import Symbol

logger = logging.getLogger(__name__)

_CALM_S = 60.0  # between two log lines about breaks of the same book; breaks in between are counted
_STILL_S = 10.0  # after which a book that is still broken is logged again, then at doubled intervals
_RAREST_S = 600.0
_NAMED = 5  # books named in one log line
_BY_OTHERS = frozenset({"disconnect", "refused"})  # these breaks have log lines of their own


class Trouble:
    """The breaks of one book. Times are monotonic, in seconds."""

    __slots__ = (
        "again_at", "began", "broken_since", "count", "detail", "last_s", "quiet_until", "reason", "symbol", "told",
        "untold",
    )  # fmt: skip

    def __init__(self, symbol: Symbol) -> None:
        self.symbol = symbol
        self.reason = "initial"  # of the last break; ``initial`` before the first snapshot
        self.detail = ""  # the obstacle, in the exchange's words or ours
        self.count = 0  # breaks
        self.last_s: float | None = None  # duration of the last break
        self.began = time()  # wall-clock start of the present state
        self.broken_since: float | None = monotonic()
        self.again_at = monotonic() + _STILL_S
        self.told = False
        self.untold = 0
        self.quiet_until = float("-inf")

    def breaks(self, reason: str) -> None:
        """Start a break."""
        now = monotonic()
        self.reason, self.detail, self.count = reason, "", self.count + 1
        self.broken_since, self.began, self.again_at = now, time(), now + _STILL_S

    def heals(self) -> float:
        """End the break; return its duration in seconds."""
        since, self.broken_since, self.began = self.broken_since, None, time()
        self.last_s = 0.0 if since is None else monotonic() - since
        return self.last_s


class Troubles:
    """The breaks of one feed's books, by native symbol."""

    def __init__(self, exchange: str) -> None:
        self._exchange = exchange
        self._of: dict[str, Trouble] = {}

    def add(self, symbol: Symbol) -> None:
        """Add a book without a snapshot so far."""
        self._of[symbol.native] = Trouble(symbol)

    def remove(self, symbol: Symbol) -> None:
        """Remove a book."""
        del self._of[symbol.native]

    def broke(self, symbol: Symbol, reason: str) -> None:
        """Log that a book broke, at most once a minute for each."""
        trouble = self._of[symbol.native]
        trouble.breaks(reason)
        now = monotonic()
        trouble.told = reason not in _BY_OTHERS and now >= trouble.quiet_until
        if trouble.told:
            logger.warning(
                "feed.book_broken exchange=%s symbol=%r reason=%s not_told_before=%d",
                self._exchange, symbol.native, reason, trouble.untold,
            )  # fmt: skip
            trouble.quiet_until, trouble.untold = now + _CALM_S, 0
        elif reason not in _BY_OTHERS:
            trouble.untold += 1

    def whole(self, symbol: Symbol) -> None:
        """Log that a book is valid again, if its break was logged."""
        trouble = self._of[symbol.native]
        if trouble.broken_since is None:
            return
        seconds = trouble.heals()
        if trouble.told:
            logger.warning(
                "feed.book_whole exchange=%s symbol=%r reason=%s seconds=%.1f",
                self._exchange, symbol.native, trouble.reason, seconds,
            )  # fmt: skip
        trouble.told = False

    def note(self, symbol: Symbol, detail: str, reason: str = "") -> None:
        """Note the obstacle, and perhaps another reason, of a book that is broken."""
        trouble = self._of.get(symbol.native)
        if trouble is not None and trouble.broken_since is not None:
            trouble.detail, trouble.reason = detail or trouble.detail, reason or trouble.reason

    def look(self, now: float) -> None:
        """Log which books are still broken, each at growing intervals."""
        late: list[str] = []
        for trouble in self._of.values():
            since = trouble.broken_since
            if since is None or now < trouble.again_at or trouble.reason == "refused":
                continue
            trouble.again_at = now + min(now - since, _RAREST_S)
            trouble.told = True
            detail = f" ({trouble.detail})" if trouble.detail else ""
            late.append(f"{trouble.symbol.native} {trouble.reason} for {now - since:.0f} s{detail}")
        if late:
            more = f", and {len(late) - _NAMED} more" if len(late) > _NAMED else ""
            logger.warning(
                "feed.books_still_broken exchange=%s books=%d which=%r",
                self._exchange, len(late), ", ".join(late[:_NAMED]) + more,
            )  # fmt: skip

    def account(self) -> dict[str, dict[str, Any]]:
        """By canonical symbol: state and its start, number of breaks, reason and duration of the last one."""
        return {
            trouble.symbol.canonical: {
                "state": "valid" if trouble.broken_since is None else "resyncing",
                "since": datetime.fromtimestamp(trouble.began, UTC).isoformat(timespec="milliseconds"),
                "troubles": trouble.count,
                "last_reason": trouble.reason if trouble.count or trouble.broken_since is not None else None,
                "last_seconds": trouble.last_s if trouble.count else None,
                "detail": trouble.detail,
            }
            for trouble in self._of.values()
        }
