"""Settings: what may be set, what fits, and where each value came from. The only readers of the environment."""
