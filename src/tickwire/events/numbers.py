"""Counters and sequence numbers that compiled code updates too.

``native/numbers.c`` is the compiled form; other classes derive from these.
"""

from tickwire.compiled import compiled


@compiled
class Number:
    """A count, or a time; 0 at first."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


@compiled
class BookNumbers:
    """The numbers of one symbol's book; ``sequence`` and ``exchange_us`` are -1 where the exchange gives none."""

    __slots__ = ("book_seq", "epoch", "exchange_us", "messages", "sequence", "valid")

    def __init__(self) -> None:
        self.messages = 0  # that the exchange sent, published or not
        self.epoch = self.book_seq = self.sequence = self.exchange_us = 0
        self.valid = False


@compiled
class UpdateId:
    """The exchange's number of the last update that a book holds."""

    __slots__ = ("update_id",)

    def __init__(self) -> None:
        self.update_id = 0


@compiled
class TradeNumbers:
    """The number of a symbol's last trade; ``ahead``: no trade that was handed out recently has a higher number."""

    __slots__ = ("ahead", "last")

    def __init__(self) -> None:
        self.last = 0
        self.ahead = False
