"""Kafka: clients, and packages for producing, consuming, dead letters, topics and the spill. Knows no exchange."""
