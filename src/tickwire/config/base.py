"""What all settings classes share: frozen, nothing read by surprise, errors of one sentence."""

import re
from collections.abc import Collection
from difflib import get_close_matches
from typing import Any, Self, get_args, get_origin

from pydantic import ModelWrapValidatorHandler, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from tickwire.errors import InvalidSetting, SettingsError

HIDDEN = "********"
_USER_INFO = re.compile(r"(^|://).*@", re.DOTALL)


class Settings(BaseSettings):
    """Base of the settings classes.

    A direct call such as ``KafkaConfig(brokers="kafka:9092")`` uses its arguments and the defaults and nothing else;
    `tickwire.config.loading` alone reads the environment and ``tickwire.toml``. A value that does not fit raises
    SettingsError.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

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


def without_user_info(value: object) -> object:
    """``value`` with what stands before an ``@`` hidden: a password that was put into an address by mistake."""
    return _USER_INFO.sub(rf"\1{HIDDEN}@", value) if isinstance(value, str) else value


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
