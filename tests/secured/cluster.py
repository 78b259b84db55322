"""One Apache Kafka with a listener for each way in, users, and rights that are given and taken."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported without saying so
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from secured.authority import Authority
from secured.tokens import ISSUER, TokenEndpoint
from tickwire.broker import ApacheCluster
from tickwire.broker.ports import free_ports
from tickwire.config.kafka_config import KafkaConfig

PASSWORD = "CANARY-scram-secret"
KEY_PASSWORD = "CANARY-key-password"
# Name: protocol, mechanisms, certificate.
_LISTENERS = {
    "PLAINTEXT": ("PLAINTEXT", "", ""),  # whoever comes here may do all
    "CONTROLLER": ("PLAINTEXT", "", ""),
    "SCRAM": ("SASL_SSL", "SCRAM-SHA-512,PLAIN", "broker"),
    "MTLS": ("SSL", "", "broker"),
    "OAUTH": ("SASL_SSL", "OAUTHBEARER", "broker"),
    "OPEN": ("SASL_PLAINTEXT", "SCRAM-SHA-512", ""),
    "TLS": ("SSL", "", "broker"),
    "EXPIRED": ("SASL_SSL", "SCRAM-SHA-512", "expired"),
    "MISNAMED": ("SASL_SSL", "SCRAM-SHA-512", "misnamed"),
    "FOREIGN": ("SASL_SSL", "SCRAM-SHA-512", "foreign"),
    "ELSEWHERE": ("SASL_SSL", "SCRAM-SHA-512", "named"),  # calls itself 127.0.0.1, its certificate says localhost
    "NOWHERE": ("PLAINTEXT", "", ""),  # says of itself that it is where nobody listens
}


@dataclass(frozen=True, slots=True)
class Secured:
    """The cluster, and what its clients need."""

    ports: Mapping[str, int]
    folder: Path
    authority: Authority
    endpoint: TokenEndpoint
    admin: AdminClient
    node: ApacheCluster

    def config(self, listener: str = "SCRAM", **values: Any) -> KafkaConfig:
        """The right settings for a listener, but for *values*; None leaves one out."""
        protocol, mechanisms, certificate = _LISTENERS[listener]
        mechanism = mechanisms.partition(",")[0]
        right: dict[str, Any] = {
            "enabled": True,
            "brokers": f"localhost:{self.ports[listener]}",
            "security_protocol": protocol,
            "shutdown_seconds": 1.0,
        }
        if certificate:
            right["ssl_ca_location"] = self.folder / "ours" / "ca.crt"
        if listener == "MTLS":
            right |= {f"ssl_{what}_location": self.folder / "ours" / "feed.pem" for what in ("certificate", "key")}
        if mechanism:
            right["sasl_mechanism"] = mechanism
        if mechanism == "OAUTHBEARER":
            right |= {
                "sasl_oauth_token_endpoint_url": self.endpoint.http,
                "sasl_oauth_client_id": "feed",
                "sasl_oauth_client_secret": self.endpoint.secret,
            }
        elif mechanism:
            right |= {"sasl_username": "feed", "sasl_password": PASSWORD}
        given = {name: value for name, value in (right | values).items() if value is not None}
        return KafkaConfig(**given)

    def environment(self, listener: str = "SCRAM", **values: Any) -> dict[str, str]:
        """The same as environment variables, secrets in them."""
        shown = self.config(listener, **values).model_dump(exclude_unset=True)
        plain = {name: getattr(value, "get_secret_value", lambda v=value: v)() for name, value in shown.items()}
        return {f"KAFKA_{name.upper()}": str(value) for name, value in plain.items()}

    def password(self, user: str, password: str = PASSWORD) -> None:
        """Set a user's password."""
        kind = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        made = UserScramCredentialUpsertion(user, kind, password.encode())
        self.admin.alter_user_scram_credentials([made])[user].result(15)

    def allow(self, user: str, kind: str, name: str, *operations: str) -> None:
        """Give a user rights, on all of a kind where *name* is ``*``."""
        bindings = [AclBinding(*_rule(user, kind, name, operation)) for operation in operations]
        for future in self.admin.create_acls(bindings).values():
            future.result(15)

    def forbid(self, user: str, kind: str, name: str, *operations: str) -> None:
        """Take them away."""
        filters = [AclBindingFilter(*_rule(user, kind, name, operation)) for operation in operations]
        for future in self.admin.delete_acls(filters).values():
            future.result(15)

    def topics(self, *names: str) -> None:
        """Make topics."""
        for future in self.admin.create_topics([NewTopic(name, 2, 1) for name in names]).values():
            future.result(15)


def _rule(user: str, kind: str, name: str, operation: str) -> tuple[Any, ...]:
    return (
        ResourceType[kind.upper()], name, ResourcePatternType.LITERAL, f"User:{user}", "*",
        AclOperation[operation.upper()], AclPermissionType.ALLOW,
    )  # fmt: skip


def _properties(ports: Mapping[str, int], folder: Path) -> dict[str, str]:
    at = {name: f"{name}://127.0.0.1:{port}" for name, port in ports.items()}
    called = {name: text.replace("127.0.0.1", "localhost") for name, text in at.items() if name != "CONTROLLER"}
    called["ELSEWHERE"], called["NOWHERE"] = at["ELSEWHERE"], "NOWHERE://localhost:1"
    found = {
        "listeners": ",".join(at.values()),
        "advertised.listeners": ",".join(called.values()),
        "listener.security.protocol.map": ",".join(f"{name}:{kind}" for name, (kind, _, _) in _LISTENERS.items()),
        "controller.quorum.voters": f"1@127.0.0.1:{ports['CONTROLLER']}",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS;User:feed",
        "auto.create.topics.enable": "false",
        "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
        "sasl.oauthbearer.jwks.endpoint.url": (folder / "keys.json").as_uri(),
        "sasl.oauthbearer.expected.audience": "kafka",
        "sasl.oauthbearer.expected.issuer": ISSUER,
        # So that a changed password shows soon (KIP-368).
        "listener.name.scram.scram-sha-512.connections.max.reauth.ms": "3000",
    }
    module = "org.apache.kafka.common.security"
    for name, (_, mechanisms, certificate) in _LISTENERS.items():
        of = f"listener.name.{name.lower()}."
        if certificate:
            store = folder / ("theirs" if certificate == "foreign" else "ours") / f"{certificate}.pem"
            found |= {f"{of}ssl.keystore.type": "PEM", f"{of}ssl.keystore.location": str(store)}
            found |= {f"{of}ssl.truststore.type": "PEM", f"{of}ssl.truststore.location": str(folder / "ours/ca.crt")}
            found[f"{of}ssl.client.auth"] = "required" if name == "MTLS" else "none"
        if mechanisms:
            found[f"{of}sasl.enabled.mechanisms"] = mechanisms
        for mechanism in filter(None, mechanisms.split(",")):
            login = f"{of}{mechanism.lower()}.sasl."
            if mechanism == "PLAIN":
                found[f"{login}jaas.config"] = f'{module}.plain.PlainLoginModule required user_feed="{PASSWORD}";'
            elif mechanism == "OAUTHBEARER":
                found[f"{login}jaas.config"] = f"{module}.oauthbearer.OAuthBearerLoginModule required;"
                handler = f"{module}.oauthbearer.OAuthBearerValidatorCallbackHandler"
                found[f"{login}server.callback.handler.class"] = handler
            else:
                found[f"{login}jaas.config"] = f"{module}.scram.ScramLoginModule required;"
    return found


@contextmanager
def secured_cluster(folder: Path, cache: Path) -> Iterator[Secured]:
    """Have one, its certificates and its token endpoint."""
    ours, theirs = Authority(folder / "ours", "Our authority"), Authority(folder / "theirs", "Another authority")
    ours.broker("broker")
    ours.broker("expired", days=-3)
    ours.broker("misnamed", host="kafka.example.org", address=False)
    ours.broker("named", address=False)
    theirs.broker("foreign")
    ours.client("feed", "feed")
    ours.client("nobody", "nobody")
    ours.client("late", "feed", days=-3)
    ours.client("locked", "feed", password=KEY_PASSWORD.encode())
    theirs.client("feed", "feed")
    ports = dict(zip(_LISTENERS, free_ports("127.0.0.1", len(_LISTENERS)), strict=True))
    with TokenEndpoint(ours.broker("endpoint")) as endpoint:
        (folder / "keys.json").write_text(endpoint.key_set())
        node = ApacheCluster(1, folder, cache, ports=[ports["PLAINTEXT"]], properties=_properties(ports, folder))
        allowed = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={(folder / 'keys.json').as_uri()}"
        options = f"{os.environ.get('JDK_JAVA_OPTIONS', '')} {allowed}"
        with mock.patch.dict(os.environ, {"JDK_JAVA_OPTIONS": options}):
            node.start()
        try:
            admin = AdminClient({"bootstrap.servers": node.bootstrap})
            made = Secured(ports, folder, ours, endpoint, admin, node)
            made.password("feed")
            yield made
        finally:
            node.kill(1)
