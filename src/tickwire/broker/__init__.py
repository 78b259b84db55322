"""Local brokers and schema registries: small ones in memory for demos, real ones for tests of delivery."""

from tickwire.broker.apache import ApacheCluster
from tickwire.broker.apicurio import ApicurioRegistry
from tickwire.broker.embedded import EmbeddedBroker
from tickwire.broker.maven import java_and_maven_missing
from tickwire.broker.memory_registry import MemoryRegistry

__all__ = ["ApacheCluster", "ApicurioRegistry", "EmbeddedBroker", "MemoryRegistry", "java_and_maven_missing"]
