"""``python -m scripts.kafka_e2e_smoke`` is ``tickwire smoke e2e``."""

import sys

from tickwire.cli.main import main

if __name__ == "__main__":
    main(["smoke", "e2e", *sys.argv[1:]])
