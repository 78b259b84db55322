"""Ways into the secured Kafka: a listener, what differs from its right settings, and what is said of wrong ones."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from secured.cluster import KEY_PASSWORD, Secured

Values = Callable[[Secured], Mapping[str, Any]]


def port(listener: str) -> Values:
    return lambda secured: {"brokers": f"localhost:{secured.ports[listener]}"}


def certificate(file: str, whose: str = "ours", **more: Any) -> Values:
    return lambda secured: (
        {f"ssl_{what}_location": secured.folder / whose / f"{file}.pem" for what in ("certificate", "key")} | more
    )


def these(**values: Any) -> Values:
    return lambda _: values


def pem(secured: Secured) -> Mapping[str, Any]:
    """The three files of mutual TLS as text in variables, the key with the line breaks that some shells write."""
    folder = secured.folder / "ours"
    key = (folder / "feed.key").read_text().replace("\n", "\\n")
    without = dict.fromkeys(("ssl_ca_location", "ssl_certificate_location", "ssl_key_location"))
    text = {"ssl_ca_pem": (folder / "ca.crt").read_text(), "ssl_certificate_pem": (folder / "feed.crt").read_text()}
    return without | text | {"ssl_key_pem": key}


def tokens(**values: Any) -> Values:
    """Tokens without a client secret, got otherwise."""
    without = {"sasl_oauth_client_id": None, "sasl_oauth_client_secret": None}
    return lambda secured: (
        without | {name: value(secured) if callable(value) else value for name, value in values.items()}
    )


def hook(name: str) -> Values:
    return tokens(
        sasl_oauth_callback=f"secured.hooks:{name}", sasl_oauth_config=lambda secured: secured.endpoint.http,
        sasl_oauth_token_endpoint_url=None, sasl_oauth_extensions="logicalCluster=lkc-1,identityPoolId=pool-1",
    )  # fmt: skip


def assertion(secured: Secured) -> Path:
    """A file with one, as Kubernetes has them for its pods."""
    file = secured.folder / "assertion"
    file.write_text(secured.endpoint.token())
    return file


RIGHT: dict[str, tuple[str, Values]] = {
    "SCRAM": ("SCRAM", these()),
    "PLAIN": ("SCRAM", these(sasl_mechanism="PLAIN")),
    "SCRAM without TLS": ("OPEN", these()),
    "TLS alone": ("TLS", these()),
    "client certificate": ("MTLS", these()),
    "encrypted key": ("MTLS", certificate("locked", ssl_key_password=KEY_PASSWORD)),
    "PEM in variables": ("MTLS", pem),
    "OAUTHBEARER": ("OAUTH", these()),
    "OAUTHBEARER with extensions": ("OAUTH", these(sasl_oauth_extensions="logicalCluster=lkc-1,identityPoolId=pool-1")),
    "OAUTHBEARER by a function": ("OAUTH", hook("token")),
    "OAUTHBEARER by an assertion": ("OAUTH", tokens(sasl_oauth_assertion_location=assertion)),
    "OAUTHBEARER by an assertion that is signed here": ("OAUTH", tokens(
        sasl_oauth_assertion_key_location=lambda secured: secured.folder / "ours" / "feed.key",
        sasl_oauth_assertion_algorithm="ES256", sasl_oauth_assertion_audience="idp",
        sasl_oauth_assertion_issuer="feed", sasl_oauth_assertion_subject="feed",
    )),
    "OAUTHBEARER over https": ("OAUTH", lambda secured: {
        "sasl_oauth_token_endpoint_url": secured.endpoint.https, "sasl_oauth_ca_location": secured.authority.file,
    }),
}  # fmt: skip

WRONG: dict[str, tuple[str, Values, str]] = {
    "wrong password": ("SCRAM", these(sasl_password="wrong"), "refused the login of feed with SCRAM-SHA-512"),
    "a mechanism that is not offered": (
        "SCRAM", these(sasl_mechanism="SCRAM-SHA-256"), "has no log-in with SCRAM-SHA-256.* SCRAM-SHA-512, PLAIN",
    ),
    "SASL where nobody logs in": ("SCRAM", port("TLS"), "logs nobody in.*set it to SSL and remove KAFKA_SASL"),
    "SASL where nobody logs in, no TLS": ("OPEN", port("PLAINTEXT"), "logs nobody in.*PLAINTEXT"),
    "no TLS to a TLS port": ("PLAINTEXT", port("TLS"), "speaks TLS, and KAFKA_SECURITY_PROTOCOL is PLAINTEXT.* SSL"),
    "no TLS to a SASL_SSL port": ("PLAINTEXT", port("SCRAM"), "speaks TLS.*SASL_SSL.*SCRAM-SHA-512, PLAIN"),
    "SASL without TLS to a SASL_SSL port": ("OPEN", port("SCRAM"), "speaks TLS.*SASL_PLAINTEXT: set it to SASL_SSL"),
    "no SASL to a SASL port": ("PLAINTEXT", port("OPEN"), "wants a log-in.*SASL_PLAINTEXT.*SCRAM-SHA-512"),
    "TLS without SASL to a SASL_SSL port": ("TLS", port("SCRAM"), "wants a log-in.*SASL_SSL.*SCRAM-SHA-512, PLAIN"),
    "TLS to a port without": ("TLS", port("PLAINTEXT"), "does not speak TLS.*set it to PLAINTEXT,"),
    "SASL_SSL to a port without TLS": ("SCRAM", port("OPEN"), "does not speak TLS.*set it to SASL_PLAINTEXT"),
    "no authority": ("SCRAM", these(ssl_ca_location=None), "signed by nobody in the system's .*KAFKA_SSL_CA_LOCATION"),
    "another authority": ("FOREIGN", these(), r"signed by nobody in \S+ca\.crt .*KAFKA_SSL_CA_LOCATION"),
    "a broker's certificate that has expired": ("EXPIRED", these(), "certificate of Kafka .* has expired"),
    "a broker's certificate for another host": ("MISNAMED", these(), "for another host .*name the broker in KAFKA_BRO"),
    "no client certificate": ("TLS", port("MTLS"), "wants a client certificate"),
    "a client certificate that has expired": ("MTLS", certificate("late"), "refused our client .*expired ..* UTC"),
    "a client certificate of another authority": ("MTLS", certificate("feed", "theirs"), "refused our client .*signed"),
    "a key without its password": ("MTLS", certificate("locked"), "KAFKA_SSL_KEY_PASSWORD"),
    "a wrong client secret": ("OAUTH", these(sasl_oauth_client_secret="wrong"), "no OAUTHBEARER token .*invalid_clien"),
    "no token endpoint": (
        "OAUTH", these(sasl_oauth_token_endpoint_url="http://localhost:1/token"), "no OAUTHBEARER token .*Could not",
    ),
    "a function that fails": ("OAUTH", hook("failing"), "no OAUTHBEARER token .*hooks:failing .RuntimeError: no key"),
    "a function whose token has ended": ("OAUTH", hook("ended"), "no OAUTHBEARER token .*hooks:ended .its token has"),
    "a token endpoint of an unknown authority": (
        "OAUTH", lambda secured: {"sasl_oauth_token_endpoint_url": secured.endpoint.https},
        "no OAUTHBEARER token .*local issuer certificate",
    ),
}  # fmt: skip
