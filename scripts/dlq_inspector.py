"""``python -m scripts.dlq_inspector`` is ``tickwire dlq inspect``."""

from tickwire.__main__ import main

if __name__ == "__main__":
    main(path=["dlq", "inspect"], name="python -m scripts.dlq_inspector")
