"""``python -m scripts.run_kafka_consumer`` is ``tickwire consume``."""

import sys

from tickwire.cli.main import main

if __name__ == "__main__":
    main(["consume", *sys.argv[1:]])
