"""A schema registry in memory that may be killed, and has forgotten everything then; the argument is its port."""

import sys
import threading

from faults.lifeline import end_with_parent
from tickwire.broker import MemoryRegistry


def main() -> None:
    end_with_parent()
    with MemoryRegistry(port=int(sys.argv[1])):
        threading.Event().wait()


if __name__ == "__main__":
    main()
