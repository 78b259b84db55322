"""``tickwire dlq``: show, replay and delete dead letters."""

import typer

from tickwire.cli.dlq import purging, reading, replaying

app = typer.Typer(help="Show, replay and delete dead letters.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Show, replay and delete dead letters."""


app.command()(reading.inspect)
app.command()(reading.summary)
app.command("list")(reading.list_)
app.command()(reading.show)
app.command()(reading.export)
app.command()(replaying.replay)
app.command()(purging.purge)
