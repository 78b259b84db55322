"""Finding a handler by its name: what goes wrong is one sentence."""

from pathlib import Path

import pytest

from tickwire.errors import UsageError
from tickwire.kafka.handlers import load_handler

MODULE = """
import sys
def store(record): return "stored"
class Sink:
    def write(self, record): return "written"
sink = Sink()
number = 5
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unique: str) -> str:
    name = f"handlers_{unique}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    (tmp_path / f"broken_{unique}.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["/nowhere"])
    return name


def test_a_function_of_a_module_in_the_current_folder(module: str) -> None:
    assert load_handler(f"{module}:store")(None) == "stored"  # type: ignore[arg-type]


def test_a_method_of_an_object(module: str) -> None:
    assert load_handler(f"{module}:sink.write")(None) == "written"  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["store", "module:", ":store", "", "../x:store", "a b:c"])
def test_another_form(name: str) -> None:
    with pytest.raises(UsageError, match="expected module:function"):
        load_handler(name)


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="'nothing_here' cannot be imported"):
        load_handler("nothing_here:store")


def test_a_module_that_fails(module: str) -> None:
    broken = module.replace("handlers_", "broken_")
    with pytest.raises(UsageError, match=r"cannot be imported \(ZeroDivisionError: division by zero\)"):
        load_handler(f"{broken}:store")


def test_a_name_that_is_not_in_the_module(module: str) -> None:
    with pytest.raises(UsageError, match="has no 'missing'"):
        load_handler(f"{module}:missing")


@pytest.mark.parametrize(("name", "kind"), [("number", "int"), ("Sink", "class")])
def test_what_cannot_be_called_with_a_record(module: str, name: str, kind: str) -> None:
    with pytest.raises(UsageError, match=f"is a {kind}: expected a function"):
        load_handler(f"{module}:{name}")
