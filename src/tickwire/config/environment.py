"""The environment of child processes."""

import os
from collections.abc import Mapping


def for_child(values: Mapping[str, str], *, keep_settings: bool) -> dict[str, str]:
    """This process's environment with *values* added; without *keep_settings* the user's settings are removed."""
    ours = ("KAFKA_", "FEED_", "TICKWIRE_")
    kept = {name: value for name, value in os.environ.items() if keep_settings or not name.startswith(ours)}
    return {**kept, **values}


def replace_with(values: Mapping[str, str]) -> None:
    """Replace the environment of this process, a forked child, by *values*."""
    os.environ.clear()
    os.environ.update(values)
