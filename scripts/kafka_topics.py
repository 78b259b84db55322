"""``python -m scripts.kafka_topics`` is ``tickwire topics``."""

from tickwire.__main__ import main

if __name__ == "__main__":
    main(path=["topics"], name="python -m scripts.kafka_topics")
