"""The two forms of what is compiled where a compiler is: tests that state what it does run on both."""

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
_PYTHON_FORM = {id(getattr(native, name)): form for name, form in python_forms.items() if hasattr(native, name)}


@contextmanager
def use(form: str) -> Iterator[None]:
    """Let every module of tickwire have this form of whatever has two, for what is made and called from now on."""
    with ExitStack() as stack:
        for module in MODULES if form == "python" else ():
            found = {name: _PYTHON_FORM.get(id(value)) for name, value in vars(module).items()}
            python = {name: value for name, value in found.items() if value is not None}
            if python and module is not native:
                stack.enter_context(patch.multiple(module, **python))
        yield
