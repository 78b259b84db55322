"""The schema registry: Confluent's HTTP API, our subjects, and the differences of two schema versions."""
