"""The base of the settings classes: frozen, with explicit sources, and errors in one sentence."""

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self, get_args, get_origin

from pydantic import ModelWrapValidatorHandler, PrivateAttr, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from tickwire.errors import InvalidSetting, SettingsError

HIDDEN = "********"
_USER_INFO = re.compile(r"(^|://).*@", re.DOTALL)
_QUERY = re.compile(r"(://[^?]*\?).*", re.DOTALL)
_LINE_END = re.compile(r"\r?\n\Z")


class Settings(BaseSettings):
    """Base of the settings classes.

    A direct call such as ``KafkaConfig(brokers="kafka:9092")`` uses only its arguments and the defaults; only
    `tickwire.config.loading` reads the environment and ``tickwire.toml``. An invalid value raises SettingsError.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    _files: dict[str, Path] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  pydantic passes all sources by name
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Make the arguments the only source."""
        return (init_settings,)

    @classmethod
    def variable(cls, name: str) -> str:
        """The environment variable of the setting ``name``."""
        return f"{cls.model_config['env_prefix']}{name}".upper()

    @classmethod
    def secrets(cls) -> Collection[str]:
        """Names of the settings whose value must never be shown."""
        return [name for name, field in cls.model_fields.items() if SecretStr in get_args(field.annotation)]

    @classmethod
    def in_files(cls) -> Collection[str]:
        """Names of the settings that may be in a file of their own: secrets, and values that are kept with them."""
        return cls.secrets()

    def remember(self, files: Mapping[str, Path]) -> None:
        """Note the files of settings, by name, for :meth:`fresh`."""
        self._files = dict(files)

    def fresh(self) -> Self:
        """The same settings, with values from files read again; unreadable ones keep their value."""
        values: dict[str, object] = {}
        for name, path in self._files.items():
            before = getattr(self, name)
            if not path.is_file():  # a pipe can be read only once: a second read would block for ever
                continue
            try:
                text = read_text(path)
            except (OSError, ValueError):
                continue
            if text:
                values[name] = SecretStr(text) if isinstance(before, SecretStr) else text
        return self.model_copy(update=values) if values else self

    @classmethod
    def lists(cls) -> Collection[str]:
        """Names of the settings that hold several values, separated by commas."""
        return [name for name, field in cls.model_fields.items() if get_origin(field.annotation) is tuple]

    @model_validator(mode="wrap")
    @classmethod
    def _in_one_sentence(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Turn pydantic's report into our error; ``from None`` because that report may hold a secret."""
        try:
            return handler(values)
        except ValidationError as report:
            raise cls._first_error(report) from None

    @classmethod
    def _first_error(cls, report: ValidationError) -> SettingsError:
        first = report.errors(include_url=False)[0]
        # The last name in the path: list items have an index there, addresses of an exchange its name.
        name = [str(part) for part in first["loc"] if isinstance(part, str)][-1]
        if first["type"] == "extra_forbidden":
            close = get_close_matches(name, cls.model_fields, n=1, cutoff=0.0)[0]
            return SettingsError(
                f"There is no setting {cls.variable(name)}: the closest is {cls.variable(close)} "
                f"(as an argument of {cls.__name__}: {close})."
            )
        shown = HIDDEN if name in cls.secrets() else repr(without_user_info(first["input"]))
        return InvalidSetting(cls.variable(name), shown, _expected(first))


def read_text(path: Path) -> str:
    """The text of the file of one setting, without a byte order mark and one line break at its end.

    Raises OSError, and ValueError if it is not UTF-8.
    """
    text = path.read_bytes().decode("utf-8-sig")  # read_text would change line breaks
    if "\0" in text:
        raise ValueError("it has a null byte")
    return _LINE_END.sub("", text)


def without_user_info(value: object) -> object:
    """``value`` without parts that may be a misplaced secret.

    In an address the part before ``@`` or after ``?`` may be a password; text of several lines may be a key in place of
    a file name.
    """
    if isinstance(value, Path):
        value = str(value)
    if not isinstance(value, str):
        return value
    if "\n" in value or "-----BEGIN" in value:
        return HIDDEN
    return _QUERY.sub(rf"\1{HIDDEN}", _USER_INFO.sub(rf"\1{HIDDEN}@", value))


def lower(value: object) -> object:
    """Text in lower case and without blanks around it; leave other types to pydantic."""
    return value.strip().lower() if isinstance(value, str) else value


def comma_list(value: object) -> object:
    """Split comma-separated text, keep the order, drop blanks and repetitions; leave other types to pydantic."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, str) for part in parts):
        return value
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _expected(error: ErrorDetails) -> str:
    """The end of the sentence "the setting should be ..."."""
    context = error.get("ctx", {})
    match error["type"]:
        case "value_error":  # from our own validators, which complete this sentence
            return str(context["error"])
        case "literal_error":
            return str(context["expected"]).replace("'", "")
        case "string_too_short" | "too_short":
            return "at least one character"
    before, phrase, after = error["msg"].partition("Input should be ")
    return after.partition(", ")[0] if phrase else f"valid ({before})"
