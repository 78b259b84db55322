"""``python -m scripts.kafka_topics`` is ``tickwire topics``."""

from tickwire.cli.main import main

if __name__ == "__main__":
    main(["topics"], "python -m scripts.kafka_topics")
