"""The environment that processes started by us get."""

import os
from collections.abc import Mapping


def for_child(values: Mapping[str, str], *, keep_settings: bool) -> dict[str, str]:
    """This process's environment with *values* on top; without *keep_settings* no setting of the user's is in it."""
    ours = ("KAFKA_", "FEED_", "TICKWIRE_")
    kept = {name: value for name, value in os.environ.items() if keep_settings or not name.startswith(ours)}
    return {**kept, **values}


def replace_with(values: Mapping[str, str]) -> None:
    """Make *values* the environment of this process, which was forked for that."""
    os.environ.clear()
    os.environ.update(values)
