"""Rights are asked of a Kafka that may be in trouble."""

from kafka.mock_cluster import MockCluster
from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.admin.rights import group_rights
from tickwire.kafka.clients import Cluster


def test_a_node_that_manages_a_group_and_comes_back_late_does_not_end_the_process() -> None:
    """The client library aborts it where the request has timed out by then."""
    with MockCluster() as mock:
        cluster = Cluster(KafkaConfig(brokers=mock.bootstrap))
        cluster.view(10)
        with mock.down():
            assert group_rights(cluster, "one", 0.5) is None
        cluster.view(10)
        assert group_rights(cluster, "another", 10) is None, "it knows no such request, and says so"
