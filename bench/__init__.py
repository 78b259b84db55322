"""Benchmarks: the product compared with a minimal chain without its guarantees, on the same frames and brokers."""
