"""Sends dead letters back to their topics, once each."""
