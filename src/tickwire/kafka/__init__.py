"""Kafka clients, publisher, consumer, dead letters and topics; knows no exchange."""
