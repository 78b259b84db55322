"""``python -m scripts.validate_kafka_smoke`` is ``tickwire smoke wiring``."""

from tickwire.cli.main import main

if __name__ == "__main__":
    main(path=["smoke", "wiring"], name="python -m scripts.validate_kafka_smoke")
