"""All commands of `pulpero`. Nonsense gets one clear line on stderr and exit code 2."""

from importlib.metadata import version
from typing import Annotated

import typer

from streams.cli import (
    actions,
    contract,
    demo,
    dlq,
    explain,
    metrics,
    policy,
    replay,
    serving,
    stack,
    tail,
    topics,
    worker,
)

MODULES = (
    demo,
    stack,
    worker,
    serving,
    topics,
    contract,
    policy,
    actions,
    replay,
    tail,
    dlq,
    explain,
    metrics,
)


def build_cli() -> typer.Typer:
    """The whole command line; nothing is created at import."""
    cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    cli.callback()(_pulpero)
    for module in MODULES:
        module.register(cli)
    return cli


def run() -> int:
    """Run the command that the arguments name; its exit code."""
    try:
        return int(build_cli()(standalone_mode=False) or 0)
    except typer.TyperException as nonsense:
        # A group without a command has printed its help by now and has nothing to add.
        if said := " ".join(nonsense.format_message().split()):
            typer.echo(f"pulpero: {said}", err=True)
        return nonsense.exit_code
    except typer.Abort:
        return 130


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"pulpero {version('pulpero')}")
        raise typer.Exit


def _pulpero(
    _: Annotated[
        bool, typer.Option("--version", help="Say the version.", is_eager=True, callback=_say_version)
    ] = False,
) -> None:
    """Pulpero: customer behaviour in, actions out, exactly once."""
