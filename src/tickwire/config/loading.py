"""Settings from flags, environment, ``tickwire.toml`` and defaults, in this order. The only reader of the environment.

An empty environment variable counts as not set. A secret may stand in a file: ``KAFKA_SASL_PASSWORD_FILE`` names one
whose content, without one line break at its end, is ``KAFKA_SASL_PASSWORD``.
"""

import functools
import logging
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import SecretStr

from tickwire.config.base import HIDDEN, Settings, read_text, without_user_info
from tickwire.config.feed_config import FeedConfig
from tickwire.config.feeds import Found, feeds
from tickwire.config.foreign import is_foreign, is_service_link
from tickwire.config.kafka_config import KafkaConfig
from tickwire.config.log_config import LogConfig
from tickwire.errors import InvalidSetting, SettingsError

logger = logging.getLogger(__name__)

TABLES: dict[type[Settings], str] = {KafkaConfig: "kafka", FeedConfig: "feed", LogConfig: "log"}
"""The table of each settings class in the settings file."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ALIASES = {"bootstrap_servers": "brokers"}  # the name that Kafka's own clients use
_S = TypeVar("_S", bound=Settings)


class _Layer(NamedTuple):
    """Values of one source by lower-case name, and functions that give a value's origin and spelling for messages."""

    values: Mapping[str, object]
    origin: Callable[[str], str]
    spell: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting in force: ``value`` is None if unset and hidden if secret; lists are comma-separated."""

    variable: str
    value: bool | int | str | None
    origin: str


def load_kafka(overrides: Mapping[str, object] | None = None, *, enabled: bool = False) -> KafkaConfig:
    """The ``KAFKA_*`` settings in force. ``overrides`` are flags by field name; None means not given.

    *enabled* is the default of KAFKA_ENABLED: true for commands whose only purpose is Kafka. Raises SettingsError.
    """
    return _build(KafkaConfig, {"enabled": Found("enabled", enabled, "default")} | _find(KafkaConfig, overrides))


def load_feed(overrides: Mapping[str, object] | None = None) -> FeedConfig:
    """The ``FEED_*`` settings in force of one exchange; arguments as in `load_feeds`.

    Raises SettingsError, also if several exchanges are configured.
    """
    first, *others = load_feeds(overrides)
    if others:
        names = ", ".join(config.exchange for config in (first, *others))
        raise SettingsError(f"The settings name several exchanges ({names}), and this reads one: say which.")
    return first


def load_feeds(overrides: Mapping[str, object] | None = None) -> tuple[FeedConfig, ...]:
    """The ``FEED_*`` settings in force for each exchange.

    ``overrides`` are flags by field name (or ``kraken_ws_url``); None: not given. Raises SettingsError.
    """
    return tuple(_build(FeedConfig, found) for found in _find_feeds(overrides))


def load_log() -> LogConfig:
    """The ``TICKWIRE_LOG_*`` settings in force. Raises SettingsError."""
    return _build(LogConfig, _find(LogConfig, None))


def origins() -> tuple[Setting, ...]:
    """Every setting in force with its origin. Raises SettingsError."""
    path, chosen = _file_path()
    file = Setting("TICKWIRE_CONFIG", str(path), "environment TICKWIRE_CONFIG" if chosen else "default")
    return (
        *_settings(KafkaConfig, _find(KafkaConfig, None)),
        *_feed_settings([_settings(FeedConfig, found) for found in _find_feeds(None)]),
        *_settings(LogConfig, _find(LogConfig, None)),
        file,
    )


def _feed_settings(of_each: list[list[Setting]]) -> list[Setting]:
    """All settings; a setting that differs between exchanges is listed for each, with the exchange's name."""
    if len(of_each) == 1:
        return of_each[0]
    exchanges = [str(settings[0].value) for settings in of_each]
    rows = [replace(of_each[0][0], value=",".join(exchanges))]
    variables = dict.fromkeys(setting.variable for settings in of_each for setting in settings[1:])
    for variable in variables:
        found = [
            (name, s) for name, each in zip(exchanges, of_each, strict=True) for s in each if s.variable == variable
        ]
        same = len({setting for _, setting in found}) == 1
        rows += [found[0][1]] if same else [replace(s, variable=f"{variable}[{name}]") for name, s in found]
    return rows


def _settings(model: type[Settings], found: Mapping[str, Found]) -> list[Setting]:
    config = _build(model, found)
    values = {name: getattr(config, name) for name in model.model_fields}
    values |= values.pop("urls", {})
    return [
        Setting(model.variable(name), _shown(value), found[name].origin if name in found else "default")
        for name, value in values.items()
    ]


def _shown(value: object) -> bool | int | str | None:
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, tuple):
        return ",".join(value)
    return value if value is None or isinstance(value, (bool, int)) else str(value)


def _build(model: type[_S], found: Mapping[str, Found]) -> _S:
    values: dict[str, Any] = {name: _value(model, name, entry) for name, entry in found.items()}
    if "urls" in model.model_fields:
        values["urls"] = {name: values.pop(name) for name in found if name not in model.model_fields}
    try:
        made = model(**values)
    except InvalidSetting as error:
        name = error.variable.removeprefix(model.variable("")).lower()
        raise InvalidSetting(error.variable, error.value, error.expected, found[name].origin) from None
    made.remember({name: Path(str(e.value)) for name, e in found.items() if e.name == f"{name}_file"})
    return made


def _value(model: type[Settings], name: str, entry: Found) -> object:
    """The value itself, or the content of the file that ``<NAME>_FILE`` names."""
    if entry.name != f"{name}_file":
        _refuse_control_characters(model, name, entry)
        return entry.value
    path = Path(str(entry.value))
    try:
        return read_text(path)
    except (OSError, ValueError) as error:
        # A secret may have been given in place of its file's name: only text that looks like a file name is shown.
        named = path.exists() or ("/" in str(path) and path.parent.exists())
        shown = f"{str(path)!r} ({_cause(error)})" if named else f"no such file ({_cause(error)})"
        variable = model.variable(entry.name)
        raise InvalidSetting(variable, shown, "the path of a readable text file", entry.origin) from None


def _refuse_control_characters(model: type[Settings], name: str, entry: Found) -> None:
    """Raise InvalidSetting for control characters, which would silently make a different name or password."""
    value = entry.value
    if name.endswith("_pem"):  # may have several lines
        return
    if isinstance(value, str) and name in model.lists():  # may have several lines too
        value = [part.strip(" \t\n") for part in value.split(",")]
    for text in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(text, str) and (found := _CONTROL.search(text)):
            shown = f"one with {found[0]!r} in it" if name in model.secrets() else repr(without_user_info(text))
            expected = "text without control characters (lines of a file that end with \\r\\n leave a \\r)"
            raise InvalidSetting(model.variable(entry.name), shown, expected, entry.origin)


def _find(model: type[Settings], overrides: Mapping[str, object] | None) -> dict[str, Found]:
    """The value with the highest precedence for each given setting, by field name."""
    (file,), _ = _file(model)
    environment, flags = _above(model, overrides)
    return _values(model, file) | environment | flags


def _find_feeds(overrides: Mapping[str, object] | None) -> list[Mapping[str, Found]]:
    """The same for each feed."""
    tables, plain = _file(FeedConfig)
    return feeds([_values(FeedConfig, table) for table in tables], *_above(FeedConfig, overrides), plain=plain)


def _above(model: type[Settings], overrides: Mapping[str, object] | None) -> list[dict[str, Found]]:
    """The layers that override the file: the environment, then the flags."""
    return [_values(model, layer) for layer in (_environment(model), _flags(model, overrides or {}))]


def _values(model: type[Settings], layer: _Layer) -> dict[str, Found]:
    here: dict[str, Found] = {}
    for name, value in layer.values.items():
        target = _target(model, name)
        origin = layer.origin(name)
        if target is None:
            _warn_unknown(name, origin, layer.spell(_closest(model, name)))
        elif target not in here:
            here[target] = Found(name, value, origin)
        elif value != here[target].value or name.endswith("_file"):
            raise SettingsError(
                f"{model.variable(target)} is set twice, as {here[target].name} and as {name} ({origin}): "
                "keep one of them."
            )
    return here


def _cause(error: OSError | ValueError) -> str:
    """Why a file cannot be read, without the content that UnicodeError would quote."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "not UTF-8" if isinstance(error, UnicodeError) else str(error)


def _file_path() -> tuple[Path, bool]:
    """The settings file, and whether the user named it; only then must it exist."""
    chosen = os.environ.get("TICKWIRE_CONFIG")
    return Path(chosen or "tickwire.toml"), bool(chosen)


def _file(model: type[Settings]) -> tuple[list[_Layer], bool]:
    """The model's tables in the file, and whether it is a single table for all exchanges."""
    path, chosen = _file_path()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError) and not chosen:
            return [_Layer({}, str, str)], True
        raise SettingsError(
            f"The settings file {str(path)!r} cannot be read ({_cause(error)}): "
            "correct it, or name another in TICKWIRE_CONFIG."
        ) from None
    known = TABLES.values()
    for name in sorted(document.keys() - set(known)):
        _warn_unknown(name, f"file {path}", " or ".join(f"[{table}]" for table in known))
    found = document.get(TABLES[model], {})
    plain = isinstance(found, dict)
    tables = [found] if plain else found if model is FeedConfig and isinstance(found, list) else []
    if not tables or not all(isinstance(table, dict) for table in tables):
        raise SettingsError(
            f"In the settings file {str(path)!r}, {TABLES[model]} should be a table, but is a single value: "
            f"write its settings below a line [{TABLES[model]}]."
        )
    if not plain and not all("exchange" in table for table in tables):
        raise SettingsError(f"In the settings file {str(path)!r} every [[feed]] needs an exchange: add it.")
    for name in (name for table in tables if not plain for name in table if _target(model, name) is None):
        raise SettingsError(
            f"In the settings file {str(path)!r} a [[feed]] has the unknown setting {name!r}: "
            f"the closest name is {_closest(model, name)}."
        )
    return [_Layer(table, lambda _: f"file {path}", str) for table in tables], plain


def _environment(model: type[Settings]) -> _Layer:
    prefix = model.variable("")
    values: dict[str, object] = {}
    foreign: list[str] = []
    for variable, value in os.environ.items():
        if variable.startswith(prefix) and variable.isupper() and value:
            name = variable.removeprefix(prefix)
            if _is_foreign(model, name, value):
                foreign.append(variable)
            else:
                values[name.lower()] = value
    if foreign:
        _tell_foreign(tuple(sorted(foreign)))
    return _Layer(values, lambda name: f"environment {model.variable(name)}", model.variable)


def _is_foreign(model: type[Settings], name: str, value: str) -> bool:
    prefix = model.variable("")
    known = _target(model, name.lower()) is not None
    return is_service_link(name, value) or (not known and is_foreign(prefix, name))


def _flags(model: type[Settings], overrides: Mapping[str, object]) -> _Layer:
    values = {name: value for name, value in overrides.items() if value is not None}
    for name in values:
        if _target(model, name) is None:
            raise SettingsError(
                f"There is no setting {model.variable(name)!r}: "
                f"the closest name is {model.variable(_closest(model, name))}."
            )
    return _Layer(values, lambda _: "command line", model.variable)


def _names(model: type[Settings]) -> dict[str, str]:
    """Every accepted name, and the field that it sets."""
    names = {name: name for name in model.model_fields if name != "urls"}
    aliases = {alias: name for alias, name in _ALIASES.items() if name in names}
    return names | aliases | {f"{name}_file": name for name in model.in_files()}


def _target(model: type[Settings], name: str) -> str | None:
    """The field that ``name`` sets; addresses of exchanges set themselves; None if ``name`` is unknown."""
    if model is FeedConfig and FeedConfig.URL_NAME.fullmatch(name):
        return name
    return _names(model).get(name)


def _closest(model: type[Settings], name: str) -> str:
    """The closest name; in the file the whole variable name may have been written."""
    wanted = name.lower().removeprefix(model.variable("").lower())
    return get_close_matches(wanted, _names(model), n=1, cutoff=0.0)[0]


@functools.cache  # once each, however often settings are loaded
def _warn_unknown(name: str, origin: str, closest: str) -> None:
    logger.warning("settings.unknown name=%r origin=%r closest=%s", name, origin, closest)


@functools.cache
def _tell_foreign(variables: tuple[str, ...]) -> None:
    logger.info(
        "settings.passed_over count=%d first=%s (set by Kubernetes for its services, or for an image of Kafka)",
        len(variables),
        variables[0],
    )
