"""Where this user's files are kept, as https://specifications.freedesktop.org/basedir-spec/latest/ says."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Name this user's folder for fetched files; it may not exist yet."""
    return _base("XDG_CACHE_HOME", ".cache") / "tickwire"


def state_folder() -> Path:
    """Name this user's folder for files that must outlive a run; it may not exist yet."""
    return _base("XDG_STATE_HOME", ".local/state") / "tickwire"


def _base(variable: str, otherwise: str) -> Path:
    """The folder that *variable* names; a relative one is ignored, as the specification says."""
    base = Path(os.environ.get(variable, ""))
    return base if base.is_absolute() else Path.home() / otherwise
