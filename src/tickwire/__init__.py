"""Exchange market data into Kafka, every message accounted for."""

__version__ = "0.1.0"
