"""What has two forms: one in Python, and one compiled where a C compiler was at the installation."""

import importlib
from typing import Any, TypeVar

_Form = TypeVar("_Form")

native: Any
try:
    native = importlib.import_module("tickwire._native")
except ImportError:  # installed where no compiler was; the same in Python, only slower
    native = None

python_forms: dict[str, Any] = {}  # by name; the compiled ones leave to them what is unusual


def compiled(form: _Form) -> _Form:
    """Let the name of this class or function stand for its compiled form, where that is there.

    The Python form says what both do. Tests run on both, see ``tests/forms.py``.
    """
    name = form.__name__  # type: ignore[attr-defined]
    python_forms[name] = form
    answer: _Form = getattr(native, name, form)
    return answer
