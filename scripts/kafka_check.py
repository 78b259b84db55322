"""``python -m scripts.kafka_check`` is ``tickwire check``."""

from tickwire.__main__ import main

if __name__ == "__main__":
    main(path=["check"], name="python -m scripts.kafka_check")
