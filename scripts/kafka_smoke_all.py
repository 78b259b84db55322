"""``python -m scripts.kafka_smoke_all`` is ``tickwire smoke all``."""

from tickwire.__main__ import main

if __name__ == "__main__":
    main(path=["smoke", "all"], name="python -m scripts.kafka_smoke_all")
