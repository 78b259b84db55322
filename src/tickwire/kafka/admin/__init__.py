"""Topics, and whether an installation can reach Kafka."""
