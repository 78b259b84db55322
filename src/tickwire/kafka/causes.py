"""Why no broker serves us, in one sentence. Where librdkafka's message is ambiguous, the address itself is probed."""

import re
import urllib.error
import urllib.request
from datetime import UTC, datetime
from urllib.parse import urlsplit

from confluent_kafka import KafkaError, KafkaException
from pydantic import SecretStr

from tickwire.config.base import HIDDEN
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka import codes
from tickwire.kafka.probing import Door, client_ending, context_of, look, trust

_PROBE_S = 1.0
# What librdkafka adds to its messages: the connection, the time it took, and how many equal ones were suppressed.
_FRAME = re.compile(
    r"^\S+/(?:bootstrap|\d+): | \(after \d+ms in state \w+(?:, \d+ identical error\(s\) suppressed)?\)"
    r"|^Failed to get metadata: "
)
_AT = re.compile(r"^(?:\w+://)?(\S+)/(?:bootstrap|\d+): ")
_REFUSES_US = "SSL alert number"  # in TLS 1.3 it arrives with the first read, as a connection error
_NO_TOKEN = "Failed to acquire SASL OAUTHBEARER token"  # noqa: S105
_UNCLEAR = frozenset({codes.REFUSED_LOGIN, codes.TLS_FAILED, codes.UNREACHABLE, codes.NO_ANSWER, codes.ALL_DOWN})
# https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_ENDED, _MISNAMED = 10, frozenset({62, 64})
_UNTRUSTED = frozenset({18, 19, 20, 21})


def said(error: KafkaException | KafkaError) -> str:
    """The library's message."""
    cause = error.args[0] if isinstance(error, KafkaException) and error.args else error
    return _FRAME.sub("", cause.str()) if isinstance(cause, KafkaError) else str(cause)


def without_secrets(words: str, config: KafkaConfig) -> str:
    """Hide our secrets in messages of others: a token endpoint may repeat the request."""
    for name in config.secrets():
        value = getattr(config, name)
        if isinstance(value, SecretStr) and (text := value.get_secret_value()):
            words = words.replace(text, HIDDEN)
    return words


def stays(error: KafkaError) -> bool:
    """Whether this cause is permanent, unlike that of a broker that is starting."""
    return error.code() in codes.HOPELESS or _REFUSES_US in error.str()


def is_for_all(error: KafkaError) -> bool:
    """Whether the cause concerns all brokers: there is no token."""
    return _NO_TOKEN in error.str()


def explain(error: KafkaError, config: KafkaConfig) -> str:
    """Say in one sentence why no broker serves us and what to do; probes the address if the message is ambiguous."""
    return proven(error, config) or no_token(config, error.code(), slow=True) or _presumed(error, config)


def proven(error: KafkaError, config: KafkaConfig) -> str | None:
    """The same if the cause is certain, so that waiting is useless; else None."""
    address = address_of(error, config)
    where = _where(address, config)
    if _REFUSES_US in error.str() and config.encrypted:
        return _refused_certificate(where, error.str(), config)
    if is_for_all(error) or error.code() not in _UNCLEAR:
        return None
    door = look(address, _PROBE_S, tls=config.encrypted, mechanism=config.sasl_mechanism)
    if door is None:
        other = look(address, _PROBE_S, tls=not config.encrypted, mechanism=config.sasl_mechanism)
        return None if other is None else _other_protocol(where, other, config)
    if config.encrypted and (found := distrusted(address, where, config)):
        return found
    if door.mechanisms is not None:
        return _other_login(where, door.mechanisms, config) or no_token(config, error.code(), slow=False)
    lacking = config.ssl_certificate_location is None and config.ssl_certificate_pem is None
    return _refused_certificate(where, error.str(), config) if lacking else None


def _presumed(error: KafkaError, config: KafkaConfig) -> str:
    code, words = error.code(), without_secrets(said(error), config)
    where = _where(address_of(error, config), config) if _AT.match(error.str()) else config.brokers
    if code == codes.REFUSED_LOGIN:
        return _refused_login(where, words, config)
    if code == codes.TLS_FAILED:
        return (
            f"The encrypted connection to Kafka at {where} failed ({words}): check KAFKA_SSL_CA_LOCATION, the client "
            "certificate, and that KAFKA_BROKERS names the brokers as their certificates do."
        )
    if code == codes.UNKNOWN_HOST:
        ours = "correct its name" if where in config.brokers else "correct advertised.listeners of that broker"
        return f"A host in KAFKA_BROKERS ({where}) is unknown ({words}): {ours}."
    if "security.protocol" in words or "Disconnected" in words:
        answer = "TLS" if config.encrypted else "that protocol"
        return (
            f"Kafka at {where} does not answer to {answer} ({words}): check that KAFKA_SECURITY_PROTOCOL and the port "
            "in KAFKA_BROKERS belong together."
        )
    if code in codes.DENIED:
        return f"Kafka at {where} does not allow this ({words}): give {user(config)} the right, or log in as another."
    theirs = "KAFKA_BROKERS" if where in config.brokers else "advertised.listeners of that broker"
    return f"Nothing answers as Kafka at {where} ({words}): start it, or correct {theirs}."


def address_of(error: KafkaError, config: KafkaConfig) -> str:
    """Where it failed: the broker that the library names, or the first of KAFKA_BROKERS."""
    found = _AT.match(error.str())
    return found[1] if found and ":" in found[1] else config.brokers.partition(",")[0]


def _where(address: str, config: KafkaConfig) -> str:
    if address in config.brokers.split(","):
        return address
    return f"{address} (as a broker behind KAFKA_BROKERS {config.brokers} calls itself)"


def user(config: KafkaConfig) -> str:
    """The user name that Kafka sees, as far as we know it."""
    if config.sasl_username is not None:
        return f"the user {config.sasl_username}"
    if config.sasl_mechanism is not None:
        return f"the user of the token ({config.sasl_oauth_client_id or config.sasl_oauth_callback or 'its subject'})"
    named = config.encrypted and (config.ssl_certificate_location or config.ssl_certificate_pem)
    return "the user that the client certificate names" if named else "the user ANONYMOUS"


def _other_protocol(where: str, door: Door, config: KafkaConfig) -> str:
    wanted = f"{'SASL_' if door.mechanisms else ''}{'SSL' if door.tls else 'PLAINTEXT'}"
    if door.tls and door.mechanisms is None:
        wanted = "SSL or SASL_SSL"
    have = config.security_protocol or "PLAINTEXT"
    speaks = "speaks TLS" if door.tls else "does not speak TLS"
    more = f", and KAFKA_SASL_MECHANISM to one of {', '.join(door.mechanisms)}" if door.mechanisms else ""
    return (
        f"Kafka at {where} {speaks}, and KAFKA_SECURITY_PROTOCOL is {have}: set it to {wanted}{more}, or take another "
        "port in KAFKA_BROKERS."
    )


def distrusted(address: str, where: str, config: KafkaConfig) -> str | None:
    """Say what is wrong with the certificate of the broker at an address; None if nothing is, or nobody answers."""
    found = trust(address, config, _PROBE_S)
    if found is None or found.code == 0:
        return None
    if found.code == _ENDED:
        return f"The certificate of Kafka at {where} has expired: have it renewed there."
    if found.code in _MISNAMED:
        ours = "name the broker in KAFKA_BROKERS as its certificate does"
        theirs = "correct advertised.listeners of that broker, or its certificate"
        what = ours if address in config.brokers.split(",") else theirs
        return f"The certificate of Kafka at {where} is for another host ({found.trouble}): {what}."
    if found.code in _UNTRUSTED:
        given = config.ssl_ca_location or ("KAFKA_SSL_CA_PEM" if config.ssl_ca_pem else "the system's certificates")
        return (
            f"The certificate of Kafka at {where} is signed by nobody in {given} ({found.trouble}): "
            "set KAFKA_SSL_CA_LOCATION to the certificates of who signs it."
        )
    return f"The certificate of Kafka at {where} is not valid ({found.trouble}): have it corrected there."


def _refused_certificate(where: str, words: str, config: KafkaConfig) -> str:
    if config.ssl_certificate_location is None and config.ssl_certificate_pem is None:
        return (
            f"Kafka at {where} wants a client certificate: set KAFKA_SSL_CERTIFICATE_LOCATION and "
            "KAFKA_SSL_KEY_LOCATION."
        )
    ends = client_ending(config)
    if ends is not None and ends < datetime.now(UTC):
        return (
            f"Kafka at {where} refused our client certificate, which has expired ({ends:%Y-%m-%d %H:%M} UTC): renew "
            "what KAFKA_SSL_CERTIFICATE_LOCATION names."
        )
    alert = re.search(r"alert ([a-z ]+)", words)
    return (
        f"Kafka at {where} refused our client certificate ({alert[1] if alert else 'as it is'}): take one that is "
        "signed by an authority which the broker trusts (ssl.truststore there)."
    )


def _other_login(where: str, mechanisms: tuple[str, ...], config: KafkaConfig) -> str | None:
    """Say how the listener's log-in differs from the settings; None if it does not."""
    tls = "SSL" if config.encrypted else "PLAINTEXT"
    if config.logs_in and not mechanisms:
        other = tls if tls == "SSL" else "PLAINTEXT (or leave it out)"
        return (
            f"Kafka at {where} logs nobody in, and KAFKA_SECURITY_PROTOCOL is {config.security_protocol}: set it to "
            f"{other} and remove KAFKA_SASL_*, or take another port in KAFKA_BROKERS."
        )
    if mechanisms and not config.logs_in:
        return (
            f"Kafka at {where} wants a log-in: set KAFKA_SECURITY_PROTOCOL to SASL_{tls}, KAFKA_SASL_MECHANISM to one "
            f"of {', '.join(mechanisms)}, and what that needs."
        )
    if mechanisms and config.sasl_mechanism not in mechanisms:
        return (
            f"Kafka at {where} has no log-in with {config.sasl_mechanism}: set KAFKA_SASL_MECHANISM to one of "
            f"{', '.join(mechanisms)}."
        )
    return None


def _refused_login(where: str, words: str, config: KafkaConfig) -> str:
    if config.sasl_mechanism == "OAUTHBEARER":
        if _NO_TOKEN in words:
            what = words.partition(f"{_NO_TOKEN}: ")[2] or words
            source = config.sasl_oauth_callback or config.sasl_oauth_token_endpoint_url
            return f"There is no OAUTHBEARER token from {source} ({what}): check KAFKA_SASL_OAUTH_*."
        return (
            f"Kafka at {where} refused the OAUTHBEARER token ({words}): check what KAFKA_SASL_OAUTH_SCOPE asks for, "
            "and the issuer, audience and signature that the broker expects."
        )
    if config.sasl_mechanism is None:
        return f"Kafka at {where} wants a log-in ({words}): set KAFKA_SECURITY_PROTOCOL and KAFKA_SASL_*."
    who = f"{config.sasl_username} with {config.sasl_mechanism}"
    return (
        f"Kafka at {where} refused the login of {who} ({words}): "
        "check KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SASL_MECHANISM."
    )


def nobody_answers(config: KafkaConfig) -> str | None:
    """Say that none of KAFKA_BROKERS answers as Kafka; None if one does. librdkafka keeps a closing one to itself."""
    tls, mechanism = config.encrypted, config.sasl_mechanism
    if any(look(address, _PROBE_S, tls=tls, mechanism=mechanism) for address in config.brokers.split(",")):
        return None
    return f"Nothing answers as Kafka at {config.brokers}: start it, or see what is on the way to it."


def no_token(config: KafkaConfig, code: int, *, slow: bool) -> str | None:
    """Send the token endpoint an empty request, and say what is wrong with it; None if it answers as it should.

    A slow answer is an error only if *slow* is set, because a token may take seconds. librdkafka retries a failing or
    silent endpoint without reporting it.
    """
    url = config.sasl_oauth_token_endpoint_url
    if url is None or code == codes.REFUSED_LOGIN:
        return None
    context = context_of(config.sasl_oauth_ca_location) if urlsplit(url).scheme == "https" else None
    request = urllib.request.Request(url, b"grant_type=client_credentials", method="POST")  # noqa: S310 - checked
    try:
        urllib.request.urlopen(request, timeout=_PROBE_S, context=context).close()  # noqa: S310
    except urllib.error.HTTPError as e:
        wrong = f"it answers {e.code}" if e.code >= 500 else None
    except (OSError, ValueError) as e:
        reason = getattr(e, "reason", e)
        wrong = None if isinstance(reason, TimeoutError) and not slow else str(reason) or type(reason).__name__
    else:
        wrong = None
    if wrong is None:
        return None
    return f"There is no OAUTHBEARER token from {url} ({wrong}): check it and KAFKA_SASL_OAUTH_TOKEN_ENDPOINT_URL."
