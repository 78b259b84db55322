"""Every ``FEED_*`` setting: which market data to read, and from where."""

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_settings import SettingsConfigDict

from tickwire.config.addresses import check_origin
from tickwire.config.base import Settings, comma_list, lower, without_user_info
from tickwire.errors import InvalidSetting, SettingsError

_NO_NAME = re.compile(r"[!\s\[\]{}]")
_SOME_NAME = re.compile(r"[\w*?]")
_PATTERN = re.compile(r"^!|[*?]|^all$", re.IGNORECASE)
_EVERYTHING = re.compile(r"\*+|all", re.IGNORECASE)
_SCHEMES = {"ws": ("wss", "ws"), "rest": ("https", "http")}


def _some(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("at least one name (several are separated by commas)")
    return names


def _wanted(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse impossible symbols and lists that match nothing, before any exchange is asked."""
    for text in texts:
        name = text.removeprefix("!")
        if _NO_NAME.search(name) or not _SOME_NAME.search(name):
            raise ValueError(
                "names and patterns such as BTC-USDT, *-USDT and !*-BUSD: without blanks and brackets, "
                f"and '!' only in front (see {text!r})"
            )
        if name != text and _EVERYTHING.fullmatch(name) and all(_PATTERN.search(other) for other in texts):
            raise ValueError(f"something that leaves symbols to read ({text!r} excludes all)")
    return texts


Names = Annotated[tuple[str, ...], BeforeValidator(comma_list), AfterValidator(_some)]
Symbols = Annotated[Names, AfterValidator(_wanted)]


class FeedConfig(Settings):
    """Which symbols and channels of an exchange to read. Arguments and defaults only; `load_feed` has the environment.

    Exchange, channels and symbols are checked later by the exchange modules. Raises SettingsError for invalid values
    and combinations.
    """

    model_config = SettingsConfigDict(env_prefix="FEED_")
    URL_NAME: ClassVar[re.Pattern[str]] = re.compile(r"[a-z0-9_]+_(ws|rest)_url")

    exchange: Annotated[str, BeforeValidator(lower)] = Field(
        "binance", min_length=1, description="Exchanges to read, comma-separated."
    )
    symbols: Symbols = Field(
        ("BTCUSDT",),
        description="Symbols, comma-separated, in the exchange's spelling or ours (BTC-USDT); "
        "ALL and patterns (`*-USDT`, `!*-BUSD`); `kraken:BTC-USD` is only for that exchange.",
    )
    channels: Names = Field(("ticker", "orderbook"), description="Channels, comma-separated.")
    orderbook_mode: Annotated[Literal["delta", "snapshot"], BeforeValidator(lower)] = Field(
        "delta", description="delta: publish every change of the book; snapshot: publish its top levels after changes."
    )
    orderbook_depth: int = Field(
        25, ge=1, description="Levels on each side that must be correct; in snapshot mode the levels published."
    )
    orderbook_keep: int = Field(
        5000,
        ge=1,
        description="Most levels kept on each side of a book, but at least twice the depth; levels that fall out are "
        "published as removals.",
    )
    orderbook_interval_ms: int = Field(
        0, ge=0, description="Milliseconds between snapshots in snapshot mode; 0 publishes one after every change."
    )
    orderbook_keyframe_seconds: int = Field(
        60, ge=0, description="Seconds after which the whole book is published again; 0 means never."
    )
    first_message_seconds: int = Field(
        30,
        ge=0,
        description="Seconds after which a subscription that was accepted but has brought nothing is requested again; "
        "0 means never.",
    )
    listing_seconds: int = Field(
        3600, ge=0, description="Seconds between two checks of the exchange's listing; 0 means never."
    )
    urls: Mapping[str, str] = Field(
        {},
        description="Scheme, host and port to use instead of an exchange's own, "
        "by names such as kraken_ws_url and binance_rest_url.",
    )

    def ws_url(self, exchange: str) -> str | None:
        """Scheme, host and port that replace those of the exchange's WebSocket addresses, if set."""
        return self.urls.get(f"{exchange}_ws_url")

    def rest_url(self, exchange: str) -> str | None:
        """Scheme, host and port that replace those of the exchange's REST addresses, if set."""
        return self.urls.get(f"{exchange}_rest_url")

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        for name, url in self.urls.items():
            self._check_url(name, url)
        if self.orderbook_interval_ms and self.orderbook_mode == "delta":
            raise SettingsError(
                f"FEED_ORDERBOOK_INTERVAL_MS is {self.orderbook_interval_ms}, which only snapshot mode uses, "
                "but FEED_ORDERBOOK_MODE is delta: set FEED_ORDERBOOK_MODE=snapshot or remove the interval."
            )
        return self

    def _check_url(self, name: str, url: str) -> None:
        match = self.URL_NAME.fullmatch(name)
        if match is None:
            raise SettingsError(
                f"The address name {name!r} is unknown: expected one such as kraken_ws_url or kraken_rest_url."
            )
        try:
            check_origin(url, _SCHEMES[match[1]])
        except ValueError as error:
            shown = repr(without_user_info(url))
            raise InvalidSetting(self.variable(name), shown, str(error)) from None
