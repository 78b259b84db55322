"""Brokers to run here: a small one in memory for demos, Apache Kafka itself for the tests that must hold."""

from tickwire.broker.apache import ApacheCluster
from tickwire.broker.embedded import EmbeddedBroker
from tickwire.broker.maven import java_and_maven_missing

__all__ = ["ApacheCluster", "EmbeddedBroker", "java_and_maven_missing"]
