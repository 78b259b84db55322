"""``python -m scripts.kafka_check`` is ``tickwire check``."""

from tickwire.cli.main import main

if __name__ == "__main__":
    main(["check"], "python -m scripts.kafka_check")
