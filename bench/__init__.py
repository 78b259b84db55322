"""Benchmarks: the product beside a bare chain without its guarantees, on the same frames and the same brokers."""
