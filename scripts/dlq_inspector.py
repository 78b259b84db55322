"""``python -m scripts.dlq_inspector`` is ``tickwire dlq inspect``."""

from tickwire.cli.main import main

if __name__ == "__main__":
    main(path=["dlq", "inspect"], name="python -m scripts.dlq_inspector")
