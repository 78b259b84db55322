"""The command ``tickwire`` in a process that ends with the one that started it. Arguments: those of the command."""

from faults.lifeline import end_with_parent
from tickwire.cli.main import main

if __name__ == "__main__":
    end_with_parent()
    main()
