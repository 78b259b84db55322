"""``python -m scripts.run_kafka_producer`` is ``tickwire produce``."""

from tickwire.__main__ import main

if __name__ == "__main__":
    main(path=["produce"], name="python -m scripts.run_kafka_producer")
