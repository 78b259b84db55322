"""Classes and functions with two forms: Python, and C where a compiler was present at installation."""

import importlib
import warnings
from pathlib import Path
from typing import Any, TypeVar

from tickwire.stamp import mismatch

_Form = TypeVar("_Form")


def load() -> tuple[Any, str]:
    """Import the compiled part; return None and the reason if it cannot be used. The Python forms do the same."""
    try:
        native = importlib.import_module("tickwire._native")
    except ModuleNotFoundError:
        return None, "several times slower; where a C compiler and Python's headers are, install it again"
    except ImportError as e:
        return None, str(e)
    why = mismatch(getattr(native, "stamp", ""), Path(__file__).with_name("native"))
    if why:
        warnings.warn(f"tickwire's compiled part is not used, it was {why}.", RuntimeWarning, stacklevel=2)
    return (None, why) if why else (native, "")


native, missing = load()
python_forms: dict[str, Any] = {}  # by name; the compiled forms call them for unusual input


def compiled(form: _Form) -> _Form:
    """Replace this class or function by its compiled form where there is one.

    The Python form documents both. Tests run on both, see ``tests/forms.py``.
    """
    name = form.__name__  # type: ignore[attr-defined]
    python_forms[name] = form
    answer: _Form = getattr(native, name, form)
    return answer
