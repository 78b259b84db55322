"""Recognizes environment variables with our prefixes that other software sets, which are ignored."""

import re

# Kubernetes sets these in every container for each Service of the namespace; one named kafka gives KAFKA_PORT.
# https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables
_SERVICE = re.compile(
    r"(?:.*_)?(?:SERVICE_HOST|SERVICE_PORT(?:_.+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)"
)
_LINK = re.compile(r"(?:tcp|udp|sctp)://")

# Settings of Kafka's own container images: options of its scripts, Bitnami's KAFKA_CFG_*, and broker settings with
# underscores for dots (apache/kafka and confluentinc/cp-kafka).
_IMAGE = re.compile(
    r"""(?:.*_)?OPTS | HOME | VERSION | DEBUG | CLUSTER_ID | NODE_ID | PROCESS_ROLES | SUPER_USERS | MIN_INSYNC_REPLICAS
    | MESSAGE_MAX_BYTES | DELETE_TOPIC_ENABLE | UNCLEAN_LEADER_ELECTION_ENABLE | LISTENERS
    | BROKER_(?:ID|RACK|HEARTBEAT|SESSION)(?:_.+)?
    | (?:CFG|KRAFT|JMX|CONFLUENT|ZOOKEEPER|CONTROLLER|LISTENER|ADVERTISED|INTER_BROKER|AUTHORIZER|ALLOW|LOG|LOG4J|NUM
        |OFFSETS|TRANSACTION|SHARE|REPLICA|DEFAULT|AUTO|SOCKET|METADATA)_.+
    | GROUP_(?:INITIAL|COORDINATOR|MIN|MAX|SHARE|CONSUMER)_.+
    | CLIENT_(?:USERS|PASSWORDS|LISTENER_NAME) | SASL_(?:ENABLED|CONTROLLER|JAAS)_.+
    | SSL_(?:KEYSTORE|TRUSTSTORE|CLIENT|ENABLED)_.+
    """,
    re.VERBOSE,
)


def is_service_link(name: str, value: str) -> bool:
    """Whether Kubernetes set this value, an address; that is certain even if the name is that of a setting."""
    return name.endswith("PORT") and _LINK.match(value) is not None


def is_foreign(prefix: str, name: str) -> bool:
    """Whether the variable *prefix* + *name*, which is no setting, belongs to other software by its name."""
    return _SERVICE.fullmatch(name) is not None or (prefix == "KAFKA_" and _IMAGE.fullmatch(name) is not None)
