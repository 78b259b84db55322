"""Where this user's files are kept, as https://specifications.freedesktop.org/basedir-spec/latest/ says."""

import os
from pathlib import Path

from tickwire.errors import NoHome


def cache_folder() -> Path:
    """Name this user's folder for fetched files; it may not exist yet. Raises :exc:`~tickwire.errors.NoHome`."""
    return _base("XDG_CACHE_HOME", ".cache") / "tickwire"


def state_folder() -> Path:
    """Name this user's folder for files that outlive a run; it may not exist yet. Raises as :func:`cache_folder`."""
    return _base("XDG_STATE_HOME", ".local/state") / "tickwire"


def spill_root(given: Path | None) -> Path:
    """Name the folder of records that wait for Kafka: the one that is *given*, or one in :func:`state_folder`."""
    try:
        return given or state_folder() / "spill"
    except NoHome as e:
        raise NoHome(e.variable, "KAFKA_SPILL_DIR, ") from None


def _base(variable: str, otherwise: str) -> Path:
    """The folder that *variable* names; a relative one is ignored, as the specification says."""
    base = Path(os.environ.get(variable, ""))
    if base.is_absolute():
        return base
    try:
        return Path.home() / otherwise
    except RuntimeError:  # neither HOME nor an entry in the password database, as in some containers
        raise NoHome(variable) from None
