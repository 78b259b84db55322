"""The ``KAFKA_*`` settings of encryption, log-in and tokens, and checks of their combinations."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from tickwire.config.addresses import check_url
from tickwire.config.base import Settings
from tickwire.errors import SettingsError

LOGIN = ("sasl_username", "sasl_password")
_CLIENT = ("sasl_oauth_client_id", "sasl_oauth_client_secret")
_ASSERTION = ("sasl_oauth_assertion_location", "sasl_oauth_assertion_key_location")
_TOKENS = (
    "sasl_oauth_token_endpoint_url", *_CLIENT, "sasl_oauth_scope", "sasl_oauth_ca_location", *_ASSERTION,
    "sasl_oauth_assertion_algorithm", "sasl_oauth_assertion_audience", "sasl_oauth_assertion_issuer",
    "sasl_oauth_assertion_subject",
)  # fmt: skip
_OAUTH = (*_TOKENS, "sasl_oauth_extensions", "sasl_oauth_callback", "sasl_oauth_config")
_TLS = (
    "ssl_ca_location", "ssl_ca_pem", "ssl_certificate_location", "ssl_certificate_pem", "ssl_key_location",
    "ssl_key_pem", "ssl_key_password",
)  # fmt: skip
_HOOK = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_SECRET = re.compile(r"secret|passw|token|assertion|api.?key", re.IGNORECASE)


def upper(value: object) -> object:
    """Text in upper case and without blanks around it; leave other types to pydantic."""
    return value.strip().upper() if isinstance(value, str) else value


def _existing(path: Path) -> Path:
    try:
        path.stat()
    except (OSError, ValueError):  # missing, or in a folder without access; ValueError: a null byte
        raise ValueError("the path of an existing file") from None
    return path


def http_url(text: str) -> str:
    """Return an HTTP(S) address; raises ValueError for others, and for one that contains a secret."""
    check_url(text, ("https", "http"))
    if any(_SECRET.search(name) for name, _ in parse_qsl(urlsplit(text).query, keep_blank_values=True)):
        raise ValueError("an address without secrets in it, because addresses are logged and shown")
    return text


def _hook(text: str) -> str:
    if not _HOOK.fullmatch(text):
        raise ValueError("module:function, such as mymodule:token")
    return text


def _pairs(text: str) -> str:
    pairs = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"[A-Za-z]+=[^=,]+", pair) for pair in pairs):  # RFC 7628, section 3.1
        raise ValueError("comma-separated name=value, the names of letters alone")
    return ",".join(pairs)


def _pem(text: str) -> str:
    """Accept text whose line breaks are written as a backslash and an n, as some shells and files do."""
    whole = text.replace("\\n", "\n") if "\n" not in text else text
    if "-----BEGIN " not in whole:
        raise ValueError("PEM text, which has a line -----BEGIN …-----")
    return whole


def _secret_pem(value: object) -> object:
    return SecretStr(_pem(value)) if isinstance(value, str) else value


ExistingPath = Annotated[Path, AfterValidator(_existing)]
SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]


class SecuritySettings(Settings):
    """The part of :class:`~tickwire.config.kafka_config.KafkaConfig` for encryption and log-in."""

    security_protocol: Annotated[SecurityProtocol | None, BeforeValidator(upper)] = Field(
        None, description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; unset means PLAINTEXT."
    )
    sasl_mechanism: Annotated[SaslMechanism | None, BeforeValidator(upper)] = Field(
        None, description="PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER; for SASL protocols."
    )
    sasl_username: str | None = Field(None, min_length=1, description="User for PLAIN and SCRAM.")
    sasl_password: SecretStr | None = Field(None, min_length=1, description="Password for PLAIN and SCRAM.")
    sasl_oauth_token_endpoint_url: Annotated[str, AfterValidator(http_url)] | None = Field(
        None, description="Address that issues OAUTHBEARER tokens (OpenID Connect)."
    )
    sasl_oauth_client_id: str | None = Field(None, min_length=1, description="OAUTHBEARER client id.")
    sasl_oauth_client_secret: SecretStr | None = Field(None, min_length=1, description="OAUTHBEARER client secret.")
    sasl_oauth_scope: str | None = Field(None, min_length=1, description="OAUTHBEARER scope to request.")
    sasl_oauth_extensions: Annotated[str, AfterValidator(_pairs)] | None = Field(
        None, description="Extensions that are sent to the broker with a token: name=value, comma-separated."
    )
    sasl_oauth_ca_location: ExistingPath | None = Field(
        None, description="File or folder of the certificates to trust at the token endpoint; unset means the system's."
    )
    sasl_oauth_assertion_location: ExistingPath | None = Field(
        None, description="File with a signed assertion (JWT) that is exchanged for tokens; read for each token."
    )
    sasl_oauth_assertion_key_location: ExistingPath | None = Field(
        None, description="Key to sign assertions with (PEM file), instead of a client secret."
    )
    sasl_oauth_assertion_algorithm: Annotated[Literal["RS256", "ES256"] | None, BeforeValidator(upper)] = Field(
        None, description="Algorithm for assertions that are signed here: RS256 or ES256; unset means RS256."
    )
    sasl_oauth_assertion_audience: str | None = Field(None, min_length=1, description="Audience (aud) of assertions.")
    sasl_oauth_assertion_issuer: str | None = Field(
        None, min_length=1, description="Issuer (iss) of assertions that are signed here."
    )
    sasl_oauth_assertion_subject: str | None = Field(
        None, min_length=1, description="Subject (sub) of assertions that are signed here."
    )
    sasl_oauth_callback: Annotated[str, AfterValidator(_hook)] | None = Field(
        None, description="module:function that returns OAUTHBEARER tokens, instead of a token endpoint."
    )
    sasl_oauth_config: str | None = Field(
        None, min_length=1, description="Argument of that function, such as a region."
    )
    ssl_ca_location: ExistingPath | None = Field(
        None, description="File or folder of the certificates to trust; unset means the system's."
    )
    ssl_ca_pem: Annotated[str, AfterValidator(_pem)] | None = Field(
        None, description="The certificates to trust as PEM text, instead of a file."
    )
    ssl_certificate_location: ExistingPath | None = Field(None, description="Client certificate (PEM file).")
    ssl_certificate_pem: Annotated[str, AfterValidator(_pem)] | None = Field(
        None, description="Client certificate as PEM text, instead of a file."
    )
    ssl_key_location: ExistingPath | None = Field(None, description="Key of the client certificate (PEM file).")
    ssl_key_pem: Annotated[SecretStr | None, BeforeValidator(_secret_pem)] = Field(
        None, description="Key of the client certificate as PEM text, instead of a file."
    )
    ssl_key_password: SecretStr | None = Field(None, min_length=1, description="Password of the client's key.")

    @classmethod
    def in_files(cls) -> Collection[str]:
        """Add user name and client id, which are kept with the secrets."""
        return [*cls.secrets(), "sasl_username", "sasl_oauth_client_id"]

    @property
    def encrypted(self) -> bool:
        """Whether TLS is spoken to the brokers."""
        return self.security_protocol in {"SSL", "SASL_SSL"}

    @property
    def logs_in(self) -> bool:
        """Whether the protocol has a log-in (SASL)."""
        return self.security_protocol in {"SASL_PLAINTEXT", "SASL_SSL"}


def variables(config: Settings, names: tuple[str, ...], *, given: bool) -> str:
    """The variables of ``names`` that are set (``given``) or not set, for a sentence."""
    return ", ".join(config.variable(name) for name in names if (getattr(config, name) is not None) is given)


def check_sasl(config: SecuritySettings) -> None:
    """Raise SettingsError if the log-in settings do not fit together."""
    protocol, mechanism = config.security_protocol, config.sasl_mechanism
    if not config.logs_in:
        if given := variables(config, ("sasl_mechanism", *LOGIN, *_OAUTH), given=True):
            raise SettingsError(
                f"KAFKA_SECURITY_PROTOCOL is {protocol or 'not set, which means PLAINTEXT'}, which does not log in, "
                f"but {given} would log in: set KAFKA_SECURITY_PROTOCOL to SASL_SSL or SASL_PLAINTEXT, or remove them."
            )
        return
    if mechanism is None:
        raise SettingsError(
            f"KAFKA_SECURITY_PROTOCOL is {protocol}, but KAFKA_SASL_MECHANISM is not set: "
            "set it to PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER."
        )
    needed, other = (_needed(config), LOGIN) if mechanism == "OAUTHBEARER" else (LOGIN, _OAUTH)
    if missing := variables(config, needed, given=False):
        raise SettingsError(f"KAFKA_SASL_MECHANISM is {mechanism}, which needs {missing}: set what is missing.")
    if given := variables(config, other, given=True):
        raise SettingsError(f"KAFKA_SASL_MECHANISM is {mechanism}, which does not use {given}: remove what is unused.")
    for name in ("sasl_username", "sasl_password", "sasl_oauth_client_secret"):
        value = getattr(config, name)
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if text and text != text.lstrip():  # librdkafka: rd_kafka_anyconf_set trims on the left
            raise SettingsError(
                f"{config.variable(name)} begins with white space, which the client library takes off, so that the "
                "log-in would be refused: choose another one."
            )


def _needed(config: SecuritySettings) -> tuple[str, ...]:
    """The settings that the chosen token source needs; raises SettingsError if several sources are set."""
    if config.sasl_oauth_callback is not None:
        if given := variables(config, _TOKENS, given=True):
            raise SettingsError(
                f"KAFKA_SASL_OAUTH_CALLBACK gets the tokens, so {given} would not be used: remove the one or the other."
            )
        return ()
    if config.sasl_oauth_config is not None:
        raise SettingsError(
            "KAFKA_SASL_OAUTH_CONFIG is set without KAFKA_SASL_OAUTH_CALLBACK: set that too or remove it."
        )
    signed = variables(config, _ASSERTION, given=True)
    if signed and (", " in signed or config.sasl_oauth_client_secret is not None):
        both = variables(config, (*_ASSERTION, "sasl_oauth_client_secret"), given=True)
        raise SettingsError(f"{both} are several ways to get a token: keep one of them.")
    return ("sasl_oauth_token_endpoint_url",) if signed else ("sasl_oauth_token_endpoint_url", *_CLIENT)


def check_tls(config: SecuritySettings) -> None:
    """Raise SettingsError if the encryption settings do not fit together."""
    protocol = config.security_protocol
    given = variables(config, _TLS, given=True)
    if not config.encrypted:
        # The token endpoint has its own HTTPS settings; these files are for the brokers.
        if given:
            raise SettingsError(
                f"KAFKA_SECURITY_PROTOCOL is {protocol or 'not set, which means PLAINTEXT'}, which does not encrypt, "
                f"but {given} would: set KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL, or remove them."
            )
        return
    for what in ("ca", "certificate", "key"):
        if ", " in (both := variables(config, (f"ssl_{what}_location", f"ssl_{what}_pem"), given=True)):
            raise SettingsError(f"{both} set the same thing twice: keep one of them.")
    certificate, key = (
        variables(config, (f"ssl_{what}_location", f"ssl_{what}_pem"), given=True) for what in ("certificate", "key")
    )
    if bool(certificate) != bool(key):
        raise SettingsError(
            "KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION belong together (or what ends in _PEM instead), "
            "but one is not set: set both (one PEM file may hold both) or remove the other."
        )
    if config.ssl_key_password is not None and not key:
        raise SettingsError("KAFKA_SSL_KEY_PASSWORD is set without KAFKA_SSL_KEY_LOCATION: set that too or remove it.")
