"""``python -m scripts.dlq_inspector`` is ``tickwire dlq inspect``."""

import sys

from tickwire.cli.main import main

if __name__ == "__main__":
    main(["dlq", "inspect", *sys.argv[1:]])
