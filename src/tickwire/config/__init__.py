"""Settings: their names, checks and origins. Nothing else reads the environment."""
