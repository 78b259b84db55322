"""``python -m scripts.validate_kafka_smoke`` is ``tickwire smoke wiring``."""

from tickwire.__main__ import main

if __name__ == "__main__":
    main(path=["smoke", "wiring"], name="python -m scripts.validate_kafka_smoke")
