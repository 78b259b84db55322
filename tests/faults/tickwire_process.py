"""The command ``tickwire`` in a process that ends with the one that started it. Arguments: those of the command."""

import os
import select
import time

from faults.lifeline import end_with_parent
from tickwire.cli.main import main


def _sleep(seconds: float) -> None:
    select.select([], [], [], seconds)


if __name__ == "__main__":
    end_with_parent()
    if "faketime" in os.environ.get("LD_PRELOAD", ""):
        time.sleep = _sleep  # libfaketime 0.9.10 takes clock_nanosleep's time of the true clock for one of its own
    main()
