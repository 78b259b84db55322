"""Everything compiled has a Python form, and tests that ask for that get it everywhere."""

from typing import Any

import pytest

from forms import FORMS, MODULES, use
from tickwire.compiled import native, python_forms

pytestmark = pytest.mark.skipif("compiled" not in FORMS, reason="needs the compiled form")

COMPILED = {name: value for name, value in vars(native).items() if not name.startswith("__") and name != "stamp"}


def test_what_is_compiled_has_a_python_form_and_the_other_way_round() -> None:
    assert set(COMPILED) == set(python_forms)


def held(where: Any) -> list[str]:
    """What is compiled among the values of a module and of its classes, as they are now."""
    found = []
    for name, value in vars(where).items():
        if any(value is one for one in COMPILED.values()):
            found.append(f"{where.__name__}.{name}")
        elif isinstance(value, type) and value.__module__ == where.__name__:
            found += held(value)
    return found


def test_no_module_has_a_compiled_name_while_the_python_form_is_in_use() -> None:
    modules = [module for module in MODULES if module is not native]
    before = [name for module in modules for name in held(module)]
    with use("python"):
        assert [name for module in modules for name in held(module)] == []
    assert [name for module in modules for name in held(module)] == before != []


@pytest.mark.parametrize("name", ["BookNumbers", "Counts", "Number", "TopState", "UpdateId"])
def test_what_only_holds_values_holds_the_same_in_both_forms(name: str) -> None:
    python, compiled = python_forms[name], COMPILED[name]
    assert {part for part in dir(python) if part[0] != "_"} == {part for part in dir(compiled) if part[0] != "_"}
    for part in dir(compiled):
        if part[0] != "_" and hasattr(python(), part):
            assert getattr(python(), part) == getattr(compiled(), part)
