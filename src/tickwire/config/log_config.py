"""Every ``TICKWIRE_LOG_*`` setting: what the commands write to standard error, and how."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import SettingsConfigDict

from tickwire.config.base import Settings, lower


class LogConfig(Settings):
    """How much a command logs, and in what form. Arguments and defaults only; `load_log` reads the environment."""

    model_config = SettingsConfigDict(env_prefix="TICKWIRE_LOG_")

    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(lower)] = Field(
        "info",
        description="debug, info, warning or error: the least severe level that is logged; debug includes lines of "
        "libraries.",
    )
    format: Annotated[Literal["text", "json"], BeforeValidator(lower)] = Field(
        "text", description="text, or json: one JSON object a line."
    )
