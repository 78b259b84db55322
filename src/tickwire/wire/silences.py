"""Subscriptions that fell silent: counted, and told in the log."""

import logging

from tickwire.wire.deadlines import Heard, Silent
from tickwire.wire.tally import Tally

logger = logging.getLogger(__name__)


def fell_silent(silent: Silent, tally: Tally) -> None:
    """Count and tell a silence that is oddly long."""
    tally.silences[silent.channel].add()
    logger.warning(
        "feed.silent exchange=%s symbol=%r channel=%s seconds=%.1f usual=%.1f (others go on; started again)",
        tally.exchange, silent.symbol.native, silent.channel, silent.quiet_s, silent.usual_s,
    )  # fmt: skip


def speaks_again(heard: Heard, tally: Tally) -> None:
    """Tell that such a silence is over."""
    logger.warning(
        "feed.heard exchange=%s symbol=%r channel=%s seconds=%.1f (it was silent)",
        tally.exchange, heard.symbol.native, heard.channel, heard.quiet_s,
    )  # fmt: skip
