"""``python -m scripts.kafka_check`` is ``tickwire check``."""

import sys

from tickwire.cli.main import main

if __name__ == "__main__":
    main(["check", *sys.argv[1:]])
