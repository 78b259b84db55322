"""Records from Kafka to a handler, at least once, with manual commits."""
