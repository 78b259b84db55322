"""``python -m tickwire`` is the command ``tickwire``."""

from tickwire.cli.main import main

if __name__ == "__main__":
    main()
