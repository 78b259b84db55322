"""``python -m scripts.kafka_topics`` is ``tickwire topics``."""

import sys

from tickwire.cli.main import main

if __name__ == "__main__":
    main(["topics", *sys.argv[1:]])
