"""``python -m scripts.kafka_smoke_all`` is ``tickwire smoke all``."""

import sys

from tickwire.cli.main import main

if __name__ == "__main__":
    main(["smoke", "all", *sys.argv[1:]])
