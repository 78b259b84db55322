"""Splits one set of settings into those of each exchange. Pure."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from tickwire.config.feed_config import FeedConfig
from tickwire.errors import SettingsError

# A prefix before a colon is an exchange if that exchange is read, or if the prefix is in lower case, as our names are.
# Exchanges use upper case before colons in their own symbols (Bitfinex has tBTCF0:USTF0).
_EXCHANGE = re.compile(r"[a-z][a-z0-9_]*")


class Found(NamedTuple):
    """A value with the name under which it was given (``sasl_password`` or ``sasl_password_file``), and its source."""

    name: str
    value: object
    origin: str


Values = Mapping[str, Found]


def feeds(tables: Sequence[Values], *layers: Values, plain: bool) -> list[Values]:
    """The values of each feed: those of its table in the file, overridden by *layers*, which are for all.

    A *plain* table is for all exchanges, any other table for the exchanges that it names. Raises
    :exc:`~tickwire.errors.SettingsError`.
    """
    above = {name: found for layer in layers for name, found in layer.items()}
    if "exchange" in above or plain:
        named = above.get("exchange") or tables[0].get("exchange")
        pairs = [(name, tables[0] if plain else _table_of(name, tables)) for name in _exchanges(named)]
    else:
        pairs = [(name, table) for table in tables for name in _exchanges(table.get("exchange"))]
    names = [name for name, _ in pairs]
    known = {
        *names,
        *(name for each in (*tables, *layers) if "exchange" in each for name in _exchanges(each["exchange"])),
    }
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(
                f"The exchange {name!r} is in two [[feed]] tables of the settings file: put all of it in one, as the "
                "limits of an exchange are for all that is read from it."
            )
    return [_feed(name, {**table, **above}, known) for name, table in pairs]


def _exchanges(found: Found | None) -> list[str]:
    parts = _parts(FeedConfig.model_fields["exchange"].default if found is None else found.value)
    return list(dict.fromkeys(part.lower() for part in parts)) or [""]


def _parts(value: object) -> list[str]:
    """The parts between commas, or of a list; control characters are kept and refused later."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, str) for part in parts):
        return []  # other types are refused where each setting is checked
    return [text for part in parts if (text := part.strip(" \t\n"))]


def _table_of(exchange: str, tables: Sequence[Values]) -> Values:
    return next((table for table in tables if exchange in _exchanges(table.get("exchange"))), {})


def _feed(exchange: str, values: dict[str, Found], known: Collection[str]) -> Values:
    if (found := values.get("exchange")) is not None and isinstance(found.value, str | list):
        values["exchange"] = found._replace(value=exchange)
    if (symbols := values.get("symbols")) is not None and ":" in str(symbols.value):
        values["symbols"] = symbols._replace(value=_symbols_of(exchange, symbols, known))
    return values


def _symbols_of(exchange: str, found: Found, known: Collection[str]) -> object:
    """The symbols for this exchange: those with its prefix, which is removed, and those without a prefix."""
    ours = []
    parts = _parts(found.value)
    for text in parts:
        before, colon, name = text.removeprefix("!").partition(":")
        if colon and not name:
            raise SettingsError(
                f"FEED_SYMBOLS ({found.origin}) has {text!r}, where a symbol is missing behind the colon: "
                "write it as kraken:BTC-USD, or leave it out."
            )
        if colon and before.lower() in known:
            ours += [text[: text.startswith("!")] + name] if before.lower() == exchange else []
        elif colon and _EXCHANGE.fullmatch(before):
            raise SettingsError(
                f"FEED_SYMBOLS ({found.origin}) has {text!r}, and nothing is read of {before!r} "
                f"(but of {', '.join(sorted(known))}): add it to FEED_EXCHANGE, or leave the symbol out."
            )
        else:
            ours.append(text)
    if parts and not ours:
        raise SettingsError(
            f"FEED_SYMBOLS ({found.origin}) has no symbol of {exchange!r}: add one, or leave out the exchange."
        )
    return ours or found.value
