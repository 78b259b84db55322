"""What is counted and numbered for every message, kept where compiled code can reach it too.

The plain forms here do the same where no compiler was; ``native/numbers.c`` is the compiled one. Others build on them.
"""


class PlainNumber:
    """A count, or a time; 0 at first."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class PlainBookNumbers:
    """How far one symbol's book has come: ``sequence`` and ``exchange_us`` are -1 where the exchange gives none."""

    __slots__ = ("book_seq", "epoch", "exchange_us", "messages", "sequence", "valid")

    def __init__(self) -> None:
        self.messages = 0  # that the exchange sent, published or not
        self.epoch = self.book_seq = self.sequence = self.exchange_us = 0
        self.valid = False


class PlainUpdateId:
    """The exchange's number of the last update that a book holds."""

    __slots__ = ("update_id",)

    def __init__(self) -> None:
        self.update_id = 0


try:
    from tickwire._native import BookNumbers, Number, UpdateId
except ImportError:
    UpdateId, Number, BookNumbers = PlainUpdateId, PlainNumber, PlainBookNumbers  # type: ignore[misc]

__all__ = ["BookNumbers", "Number", "PlainBookNumbers", "PlainNumber", "PlainUpdateId", "UpdateId"]
