"""Every message class reads and writes the same on each msgspec that the package allows."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from msgspec import Struct, field

import tickwire


def test_no_field_takes_back_its_own_name_where_the_class_above_gives_it_another() -> None:
    for module in pkgutil.walk_packages(tickwire.__path__, "tickwire."):
        if not module.name.endswith(("__main__", "_native")):
            importlib.import_module(module.name)
    ours = [struct for struct in below(Struct) if struct.__module__.startswith("tickwire.")]
    assert len(ours) > 100
    assert [(struct.__name__, name) for struct in ours for name in taken_back(struct)] == []


class Above(Struct):
    price: int = field(name="p")
    size: int = field(name="s")


class Below(Above):
    price: int = field(name="price")
    size: int = field(name="z")


def test_such_a_field_is_found() -> None:
    assert taken_back(Above) == []
    if wire_names(Below)["price"] != "price":
        pytest.skip("this msgspec keeps the other name")  # 0.19 to 0.21, for which the rule is
    assert taken_back(Below) == ["price"]


def taken_back(struct: type[Struct]) -> list[str]:
    """The fields of *struct* that are on the wire as they are called, and were not so in a class above."""
    above = [base for base in struct.__mro__[1:] if issubclass(base, Struct)]
    mine = wire_names(struct)
    return [name for base in above for name, wire in wire_names(base).items() if wire != name == mine[name]]


def wire_names(struct: type[Struct]) -> dict[str, str]:
    return dict(zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True))


def below(struct: type[Struct]) -> Iterator[type[Struct]]:
    for each in struct.__subclasses__():
        yield each
        yield from below(each)
