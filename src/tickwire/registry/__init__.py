"""The schema registry: Confluent's HTTP API, what ours is in it, and what two versions of a schema differ in."""
