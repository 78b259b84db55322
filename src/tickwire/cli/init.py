"""``tickwire init``: a settings file to start with."""

from pathlib import Path
from typing import Annotated

import typer

from tickwire.config.template import template
from tickwire.errors import TickwireError, UsageError


def init(
    file: Annotated[Path, typer.Argument(help="The file; with another name, set TICKWIRE_CONFIG.")] = (
        Path("tickwire.toml")
    ),
) -> None:
    """Write a settings file with every setting, its meaning and its default, all commented out.

    An existing file is not changed.

    \b
    Examples:
      tickwire init
      tickwire init /etc/tickwire.toml
    """
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(template())
    except FileExistsError:
        raise UsageError(f"{str(file)!r} is there already: move it away, or name another file.") from None
    except OSError as e:
        raise TickwireError(f"Cannot write {str(file)!r} ({e.strerror or e}): name a file in a folder of yours.") from e
    print(f"{file} has every setting with its default: `tickwire config show` says what is in force.")
