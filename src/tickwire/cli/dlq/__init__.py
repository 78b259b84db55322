"""``tickwire dlq``: look at dead letters, send them on, remove them."""

import typer

from tickwire.cli.dlq import purging, reading, replaying

app = typer.Typer(help="Look at dead letters, replay them, remove them.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Look at dead letters, replay them, remove them."""


app.command()(reading.inspect)
app.command()(reading.summary)
app.command("list")(reading.list_)
app.command()(reading.show)
app.command()(reading.export)
app.command()(replaying.replay)
app.command()(purging.purge)
