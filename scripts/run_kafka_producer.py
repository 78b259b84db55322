"""``python -m scripts.run_kafka_producer`` is ``tickwire produce``."""

from tickwire.cli.main import main

if __name__ == "__main__":
    main(["produce"], "python -m scripts.run_kafka_producer")
