"""A simulated exchange: seeded market, real dialects over real sockets, fault switches."""
