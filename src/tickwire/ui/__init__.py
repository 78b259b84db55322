"""A view of a running system, from Kafka and the metrics pages alone: what the page and ``tickwire watch`` show."""
