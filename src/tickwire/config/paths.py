"""Where files that can be fetched again are kept."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Name this user's folder for fetched files; it may not exist yet.

    A relative XDG_CACHE_HOME is ignored, as https://specifications.freedesktop.org/basedir-spec/latest/ says.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "tickwire"
