"""Users of the secured cluster, their topics and their rights."""

from typing import Any

from secured.cluster import Secured
from support import eventually
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import LoginRefused
from tickwire.kafka.admin.rights import group_rights, topic_rights
from tickwire.kafka.clients import Cluster, connect_check


def names(unique: str) -> dict[str, str]:
    return {f"{kind}_topic": f"{kind}.{unique}" for kind in ("ticker", "orderbook", "trades")}


def a_user(secured: Secured, unique: str, **rights: tuple[str, ...]) -> dict[str, Any]:
    """Make the topics, and a user with rights on them, by setting; return the settings for both."""
    mine = names(unique)
    secured.topics(*mine.values())
    secured.password(unique)
    settings: dict[str, Any] = {"sasl_username": unique, "group_id": unique, "linger_ms": 0, **mine}
    eventually(lambda: lets_in(secured.config(**settings)), "the broker knows the user")
    for setting, operations in rights.items():
        grant(secured, unique, "topic", mine[setting], *operations)
    return settings


def lets_in(config: KafkaConfig) -> bool:
    try:
        connect_check(config, 5.0)
    except LoginRefused:
        return False
    return True


def grant(secured: Secured, user: str, kind: str, name: str, *operations: str) -> None:
    """Give rights and wait until the broker goes by them."""
    secured.allow(user, kind, name, *operations)
    cluster = Cluster(secured.config(sasl_username=user))
    cluster.view(5.0)

    def has() -> bool:
        told = topic_rights(cluster, [name], 5.0)[name] if kind == "topic" else group_rights(cluster, name, 5.0)
        return set(operations) <= set(told or ())

    eventually(has, f"{user} has {operations} on {name}")
