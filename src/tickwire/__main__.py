"""The command ``tickwire``, and ``python -m tickwire``: what hears Ctrl-C while the rest is still being imported."""

import os
import signal
import sys
from collections.abc import Sequence

_INTERRUPTED = 128 + signal.SIGINT


def main(arguments: Sequence[str] | None = None, *, path: Sequence[str] = (), name: str | None = None) -> None:
    """Do as :func:`tickwire.cli.main.main`, and end with 130 and no more words wherever Ctrl-C finds nobody to hear it.

    It imports nothing of this package before, which takes a second.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # not where it is ignored, as in the background of a script
        signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    from tickwire.cli.main import main as run  # noqa: PLC0415

    try:
        signal.signal(signal.SIGINT, before)
        run(arguments, path=path, name=name)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
