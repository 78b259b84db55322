"""What has two forms: one in Python, and one compiled where a C compiler was at the installation."""

import importlib
import warnings
from pathlib import Path
from typing import Any, TypeVar

from tickwire.stamp import mismatch

_Form = TypeVar("_Form")


def load() -> tuple[Any, str]:
    """Import the compiled part; where it cannot be used, None and why. The same is there in Python, only slower."""
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
python_forms: dict[str, Any] = {}  # by name; the compiled ones leave to them what is unusual


def compiled(form: _Form) -> _Form:
    """Let the name of this class or function stand for its compiled form, where that is there.

    The Python form says what both do. Tests run on both, see ``tests/forms.py``.
    """
    name = form.__name__  # type: ignore[attr-defined]
    python_forms[name] = form
    answer: _Form = getattr(native, name, form)
    return answer
