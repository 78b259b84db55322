"""``python -m scripts.run_kafka_producer`` is ``tickwire produce``."""

import sys

from tickwire.cli.main import main

if __name__ == "__main__":
    main(["produce", *sys.argv[1:]])
