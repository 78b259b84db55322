"""Finding a handler by its name: what goes wrong is one sentence."""

from pathlib import Path
from typing import Any

import pytest

from tickwire.errors import UsageError
from tickwire.kafka.consuming.handlers import batching, load_handler

MODULE = """
import sys
def store(record): return "stored"
class Sink:
    def write(self, record): return "written"
sink = Sink()
number = 5
class Table:
    def batch(self, records): return "stored"
table = Table()
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
    assert load_handler(f"{module}:store")(None) == "stored"  # type: ignore[operator, arg-type]


def test_an_object_that_takes_batches(module: str) -> None:
    handler = load_handler(f"{module}:table")
    found = batching(handler)
    assert found is not None
    assert (found.call([]), found.records, found.seconds) == ("stored", 500, 1.0)


def test_a_function_that_is_to_get_lists(module: str) -> None:
    handler = load_handler(f"{module}:store", 7)
    found = batching(handler)
    assert found is not None
    assert (found.call([]), found.records, found.seconds) == ("stored", 7, 1.0)
    assert not hasattr(handler, "close")


def test_the_size_that_is_asked_for_counts_and_everything_else_is_the_handlers(module: str) -> None:
    table = load_handler(f"{module}:table")
    table.batch_records, table.batch_seconds, table.close = 3, 0.5, lambda: "closed"  # type: ignore[union-attr]
    handler: Any = load_handler(f"{module}:table", 7)
    found = batching(handler)
    assert found is not None
    assert (found.call([]), found.records, found.seconds, handler.close()) == ("stored", 7, 0.5, "closed")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("batch_records", 0, "whole number of at least 1, but is 0"),
        ("batch_records", "many", "whole number of at least 1, but is 'many'"),
        ("batch_seconds", -1, "from 0 to 3600, but is -1"),
        ("batch", None, "neither called with a record nor has it a method batch"),
    ],
)
def test_batches_that_cannot_be(module: str, name: str, value: object, said: str) -> None:
    handler = load_handler(f"{module}:table")
    setattr(handler, name, value)
    with pytest.raises(UsageError, match=said):
        batching(handler)


def test_a_method_of_an_object(module: str) -> None:
    assert load_handler(f"{module}:sink.write")(None) == "written"  # type: ignore[operator, arg-type]


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
