"""Kafka: clients, and a room each for producing, consuming, dead letters, topics and the spill; knows no exchange."""
