"""`pulpero up` and `pulpero down`: the embedded Kafka and Redis."""

import typer
from rich.console import Console

from streams.cli.terminal import fail, plain, read_settings
from streams.local.program import StackError
from streams.local.stack import STATE_FOLDER
from streams.local.stack import down as stop_stack
from streams.local.stack import up as start_stack


def register(app: typer.Typer) -> None:
    """Add `up` and `down`."""
    app.command()(up)
    app.command()(down)


def up() -> None:
    """Start a real Kafka and a real Redis on this machine; they run until `pulpero down`."""
    try:
        with Console(stderr=True).status("starting Kafka and Redis (the first time Kafka is downloaded)"):
            started = start_stack(read_settings())
    except StackError as error:
        fail(str(error))
    for server in started:
        state = "runs already" if server.already else "started"
        plain().print(f"{server.name} {state} at {server.address} (pid {server.pid})")
    plain().print(f"data and logs are in {STATE_FOLDER}/; next: pulpero topics create")


def down() -> None:
    """Stop them. Kafka's data stay in .pulpero/ for the next `pulpero up`."""
    try:
        stopped = stop_stack()
    except StackError as error:
        fail(str(error))
    plain().print(f"stopped {' and '.join(stopped)}" if stopped else "nothing was running")
