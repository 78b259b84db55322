"""Market events as Kafka records, and back: pure."""
