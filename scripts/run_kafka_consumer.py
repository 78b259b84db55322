"""``python -m scripts.run_kafka_consumer`` is ``tickwire consume``."""

from tickwire.cli.main import main

if __name__ == "__main__":
    main(path=["consume"], name="python -m scripts.run_kafka_consumer")
