"""What all settings classes share: frozen, nothing read by surprise, errors of one sentence."""

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

    A direct call such as ``KafkaConfig(brokers="kafka:9092")`` uses its arguments and the defaults and nothing else;
    `tickwire.config.loading` alone reads the environment and ``tickwire.toml``. A value that does not fit raises
    SettingsError.
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
        """Leave the arguments as the only source."""
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
        """Names of the settings that may stand in a file of their own: secrets, and what is kept together with them."""
        return cls.secrets()

    def remember(self, files: Mapping[str, Path]) -> None:
        """Keep in which files settings stand, by name, for :meth:`fresh`."""
        self._files = dict(files)

    def fresh(self) -> Self:
        """The same settings with what stands in files of their own read again; what cannot be read stays as it was."""
        values: dict[str, object] = {}
        for name, path in self._files.items():
            before = getattr(self, name)
            if not path.is_file():  # a pipe gives its text once, and whoever asks again would wait for ever
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
        # The last name of the path: an item of a list has a number there, an address of an exchange its own name.
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
    """What stands in the file of one setting, without a mark of its encoding and one line break at its end.

    Raises OSError, and ValueError where it is no text.
    """
    text = path.read_bytes().decode("utf-8-sig")  # read_text would change line breaks inside the secret
    if "\0" in text:
        raise ValueError("it has a null byte")
    return _LINE_END.sub("", text)


def without_user_info(value: object) -> object:
    """``value`` without what may be a secret in the wrong place.

    What stands before an ``@`` or behind a ``?`` may be a password in an address; text of several lines may be a key
    where a file's name belongs.
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
    """What completes "the setting should be ..."."""
    context = error.get("ctx", {})
    match error["type"]:
        case "value_error":  # one of our validators, whose text is written for this
            return str(context["error"])
        case "literal_error":
            return str(context["expected"]).replace("'", "")
        case "string_too_short" | "too_short":
            return "at least one character"
    before, phrase, after = error["msg"].partition("Input should be ")
    return after.partition(", ")[0] if phrase else f"valid ({before})"
