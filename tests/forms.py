"""Switches between the Python and the compiled forms, so that tests run on both."""

import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import tickwire
from tickwire.compiled import native, python_forms

FORMS = ["python"] if native is None else ["python", "compiled"]
# All of them, because one that was imported while Python is in use would keep its forms.
MODULES = [
    importlib.import_module(found.name)
    for found in pkgutil.walk_packages(tickwire.__path__, "tickwire.")
    if not found.name.endswith("__main__")
]
_PYTHON = [(getattr(native, name), form) for name, form in python_forms.items() if hasattr(native, name)]
_HELD = [
    (module, {name: python for name, value in vars(module).items() for one, python in _PYTHON if value is one})
    for module in MODULES
    if module is not native
]


@contextmanager
def use(form: str) -> Iterator[None]:
    """Let every module of tickwire use this form from now on."""
    with ExitStack() as stack:
        for module, names in _HELD if form == "python" else ():
            if names:
                stack.enter_context(patch.multiple(module, **names))
        yield
