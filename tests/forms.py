"""The two forms of what is compiled where a compiler is: tests that state what it does run on both."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from unittest.mock import patch

from tickwire.events import book, decimals, side

FORMS = ["python"]
try:
    from tickwire.events import _native
except ImportError:
    pass
else:
    FORMS.append("compiled")


@contextmanager
def use(form: str) -> Iterator[None]:
    """Let books be made in this form, and numbers be read in it, by whoever asks :mod:`tickwire.events.book`."""
    compiled = form == "compiled"
    of_side: ModuleType = _native if compiled else side
    of_numbers: ModuleType = _native if compiled else decimals
    with patch.multiple(book, Side=of_side.Side, price_key=of_numbers.price_key, is_zero=of_numbers.is_zero):
        yield
