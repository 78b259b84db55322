"""The librdkafka properties for how a client logs in and whom it trusts.

https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md
"""

from typing import Any

from pydantic import SecretStr

from tickwire.config.security import SecuritySettings
from tickwire.kafka.probing import system_certificates
from tickwire.kafka.token_hook import token_hook

_PROPERTIES = {
    "security.protocol": "security_protocol",
    "sasl.mechanism": "sasl_mechanism",
    "sasl.username": "sasl_username",
    "sasl.password": "sasl_password",
    "ssl.ca.location": "ssl_ca_location",
    "ssl.ca.pem": "ssl_ca_pem",
    "ssl.certificate.location": "ssl_certificate_location",
    "ssl.certificate.pem": "ssl_certificate_pem",
    "ssl.key.location": "ssl_key_location",
    "ssl.key.pem": "ssl_key_pem",
    "ssl.key.password": "ssl_key_password",
    "sasl.oauthbearer.token.endpoint.url": "sasl_oauth_token_endpoint_url",
    "sasl.oauthbearer.client.id": "sasl_oauth_client_id",
    "sasl.oauthbearer.client.secret": "sasl_oauth_client_secret",
    "sasl.oauthbearer.scope": "sasl_oauth_scope",
    "sasl.oauthbearer.extensions": "sasl_oauth_extensions",
    "sasl.oauthbearer.assertion.file": "sasl_oauth_assertion_location",
    "sasl.oauthbearer.assertion.private.key.file": "sasl_oauth_assertion_key_location",
    "sasl.oauthbearer.assertion.algorithm": "sasl_oauth_assertion_algorithm",
    "sasl.oauthbearer.assertion.claim.aud": "sasl_oauth_assertion_audience",
    "sasl.oauthbearer.assertion.claim.iss": "sasl_oauth_assertion_issuer",
    "sasl.oauthbearer.assertion.claim.sub": "sasl_oauth_assertion_subject",
}
_SIGNED = "urn:ietf:params:oauth:grant-type:jwt-bearer"  # RFC 7523


def login_properties(config: SecuritySettings) -> dict[str, Any]:
    """The properties for the settings that are set; librdkafka reads files when a client is made.

    Raises :exc:`~tickwire.errors.KafkaFailed` if the user's function gives no token.
    """
    found: dict[str, Any] = {}
    for name, setting in _PROPERTIES.items():
        value = getattr(config, setting)
        if value is not None:
            found[name] = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    if config.sasl_oauth_callback is not None:
        found.pop("sasl.oauthbearer.extensions", None)  # only for tokens that librdkafka fetches itself
        hook = token_hook(
            config.sasl_oauth_callback, config.sasl_oauth_config or "", config.sasl_oauth_extensions or ""
        )
        hook.prepare()
        found["oauth_cb"] = hook
    if config.sasl_oauth_token_endpoint_url is not None:
        found["sasl.oauthbearer.method"] = "oidc"
        if config.sasl_oauth_assertion_location or config.sasl_oauth_assertion_key_location:
            found["sasl.oauthbearer.grant.type"] = _SIGNED
        # The library in confluent-kafka's wheel looks only where Red Hat keeps them.
        if trusted := config.sasl_oauth_ca_location or system_certificates():
            found["https.ca.location"] = str(trusted)
    return found
