"""Environment variables under our prefixes that others set for purposes of their own: they are passed over."""

import re

# What Kubernetes sets in every container for each Service of the namespace: one named kafka gives KAFKA_PORT and more.
# https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables
_SERVICE = re.compile(
    r"(?:.*_)?(?:SERVICE_HOST|SERVICE_PORT(?:_.+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)"
)
_LINK = re.compile(r"(?:tcp|udp|sctp)://")

# What container images of Kafka itself take: the options of its scripts, Bitnami's KAFKA_CFG_*, and the settings of a
# broker, dots as underscores, as the images apache/kafka and confluentinc/cp-kafka do.
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
    """Whether Kubernetes gave this value: no port is written as an address, so it may even be a setting's name."""
    return name.endswith("PORT") and _LINK.match(value) is not None


def is_foreign(prefix: str, name: str) -> bool:
    """Whether the variable *prefix* + *name*, which is no setting, is somebody else's by the shape of its name."""
    return _SERVICE.fullmatch(name) is not None or (prefix == "KAFKA_" and _IMAGE.fullmatch(name) is not None)
