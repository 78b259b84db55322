"""Import what a setting names in the user's code as ``module:function``."""

import importlib
import sys
from pathlib import Path

from tickwire.errors import UsageError


def named(setting: str, name: str) -> object:
    """Import *name*, also from the current folder; *setting* is the setting or option to name in errors.

    The part after the colon may have dots. Raises :exc:`~tickwire.errors.UsageError`.
    """
    module_name, colon, attribute = name.partition(":")
    if not colon or not attribute or not all(part.isidentifier() for part in module_name.split(".")):
        raise UsageError(f"{setting} {name!r} names nothing: expected module:function, e.g. my_code:function.")
    folder = str(Path.cwd())  # is not on the path of an installed command, unlike with `python -m`
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found: object = importlib.import_module(module_name)
    except Exception as error:  # the user's module may raise anything during import
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
