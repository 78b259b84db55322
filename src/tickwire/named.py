"""What a setting names in the user's own code, as ``module:function``."""

import importlib
import sys
from pathlib import Path

from tickwire.errors import UsageError


def named(setting: str, name: str) -> object:
    """Import what *name* stands for, from the current folder too; *setting* is where it was written.

    Behind the colon may be several names with dots between them. Raises :exc:`~tickwire.errors.UsageError`.
    """
    module_name, colon, attribute = name.partition(":")
    if not colon or not attribute or not all(part.isidentifier() for part in module_name.split(".")):
        raise UsageError(f"{setting} {name!r} names nothing: expected module:function, e.g. my_code:function.")
    folder = str(Path.cwd())  # where an installed command does not look, unlike `python -m`
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found: object = importlib.import_module(module_name)
    except Exception as error:  # a module of the user's may raise anything while it is imported
        raise UsageError(
            f"{setting} {name}: the module {module_name!r} cannot be imported ({type(error).__name__}: {error}): "
            f"expected a module in {folder!r} or an installed one."
        ) from error
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise UsageError(f"The module {module_name!r} has no {attribute!r}: correct {setting} {name}.") from None
    return found
