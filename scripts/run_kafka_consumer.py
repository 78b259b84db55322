"""``python -m scripts.run_kafka_consumer`` is ``tickwire consume``."""

from tickwire.__main__ import main

if __name__ == "__main__":
    main(path=["consume"], name="python -m scripts.run_kafka_consumer")
