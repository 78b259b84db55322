"""``python -m scripts.kafka_smoke_all`` is ``tickwire smoke all``."""

from tickwire.cli.main import main

if __name__ == "__main__":
    main(["smoke", "all"], "python -m scripts.kafka_smoke_all")
