"""Generates a settings file with every setting, its meaning and its default."""

import json
from collections.abc import Iterator
from textwrap import wrap

from tickwire.config.base import Settings
from tickwire.config.loading import TABLES

_HEAD = """\
# Settings of tickwire. Each line is a setting with its default: take the # away and change the value.
# Variables (KAFKA_BROKERS) and flags win over this file; `tickwire config show` says what is in force.
"""
_URLS = '#kraken_ws_url = "ws://127.0.0.1:8765"\n#kraken_rest_url = "http://127.0.0.1:8765"'
_COLUMNS = 118


def template() -> str:
    """The text of a settings file in which nothing is set."""
    tables = (f"[{table}]\n\n" + "\n\n".join(_entries(model)) for model, table in TABLES.items())
    return _HEAD + "\n" + "\n\n".join(tables) + "\n"


def _entries(model: type[Settings]) -> Iterator[str]:
    inherited = lambda item: item[0] not in model.__annotations__  # noqa: E731 - these are for later
    for name, field in sorted(model.model_fields.items(), key=inherited):
        text, line = field.description or "", f"#{name} = {_toml(field.default)}"
        if name in model.secrets():  # it belongs in a file of its own
            text, line = f"File that holds this: {text}", f'#{name}_file = ""'
        elif name == "urls":
            line = _URLS
        yield "\n".join([*(f"# {row}" for row in wrap(text.replace("`", ""), _COLUMNS, break_on_hyphens=False)), line])


def _toml(default: object) -> str:
    """A default as TOML; None as empty text."""
    if isinstance(default, bool | int | float):
        return str(default).lower()
    return json.dumps(list(default) if isinstance(default, tuple) else default or "")
