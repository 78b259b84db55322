"""``python -m scripts.kafka_e2e_smoke`` is ``tickwire smoke e2e``."""

from tickwire.__main__ import main

if __name__ == "__main__":
    main(path=["smoke", "e2e"], name="python -m scripts.kafka_e2e_smoke")
