"""``python -m scripts.validate_kafka_smoke`` is ``tickwire smoke wiring``."""

from tickwire.cli.main import main

if __name__ == "__main__":
    main(["smoke", "wiring"], "python -m scripts.validate_kafka_smoke")
