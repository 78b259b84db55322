"""Dead letters sent to where they came from, each once for what was handled."""
