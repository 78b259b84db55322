"""Which brokers answer: the question behind "is Kafka up?"."""

from tickwire.errors import KafkaMissing


def visible_nodes(bootstrap: str, timeout_s: float) -> frozenset[int]:
    """Ask the brokers at *bootstrap* which nodes the cluster has now; empty when none answers within *timeout_s*.

    An answer means that a broker handles requests, which an open port does not.
    Raises :exc:`KafkaMissing` without the library.
    """
    try:
        from confluent_kafka import KafkaException  # noqa: PLC0415 - the package imports without the library
        from confluent_kafka.admin import AdminClient  # noqa: PLC0415
    except ImportError as error:
        raise KafkaMissing from error

    # log_level 0: refused connections are expected while a broker starts, and the caller has the deadline.
    client = AdminClient({"bootstrap.servers": bootstrap, "client.id": "tickwire-probe", "log_level": 0})
    try:
        return frozenset(client.list_topics(timeout=timeout_s).brokers)
    except KafkaException:
        return frozenset()
