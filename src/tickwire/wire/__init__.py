"""Connections to exchanges; knows neither Kafka nor any single exchange."""
