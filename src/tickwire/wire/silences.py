"""Counts and logs subscriptions that fell silent."""

import logging

from tickwire.wire.deadlines import Due, Heard, Silent, Unheard
from tickwire.wire.tally import Tally

logger = logging.getLogger(__name__)


def tell(due: Due, tally: Tally) -> None:
    """Count and log silences and their ends; ignore everything else."""
    match due:
        case Silent():
            tally.silences[due.channel].add()
            logger.warning(
                "feed.silent exchange=%s symbol=%r channel=%s seconds=%.1f usual=%.1f (others go on; started again)",
                tally.exchange, due.symbol.native, due.channel, due.quiet_s, due.usual_s,
            )  # fmt: skip
        case Unheard():
            tally.silences[due.channel].add()
            logger.warning(
                "feed.unheard exchange=%s symbol=%r channel=%s seconds=%.1f (accepted, and nothing came: asked again)",
                tally.exchange, due.symbol.native, due.channel, due.quiet_s,
            )  # fmt: skip
        case Heard():
            logger.warning(
                "feed.heard exchange=%s symbol=%r channel=%s seconds=%.1f (it was silent)",
                tally.exchange, due.symbol.native, due.channel, due.quiet_s,
            )  # fmt: skip
