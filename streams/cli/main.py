"""The command `pulpero`. Nonsense gets one clear line on stderr and exit code 2."""

import sys

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
    cli = typer.Typer(
        help="Pulpero: customer behaviour in, actions out, exactly once.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for module in MODULES:
        module.register(cli)
    return cli


def main() -> None:
    """Entry point of the command."""
    try:
        sys.exit(build_cli()(standalone_mode=False))
    except typer.TyperException as nonsense:
        # A group without a command has printed its help by now and has nothing to add.
        if said := " ".join(nonsense.format_message().split()):
            typer.echo(f"pulpero: {said}", err=True)
        sys.exit(nonsense.exit_code)
    except typer.Abort:
        sys.exit(130)
