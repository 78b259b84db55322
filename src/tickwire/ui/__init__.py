"""The view of a running system that the page and ``tickwire watch`` show, from Kafka and metrics pages only."""
