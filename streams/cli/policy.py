"""`pulpero policy`: look at a policy's file before a worker does."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from schemas.policy_file import PolicyError, load_policy, policy_version


def register(app: typer.Typer) -> None:
    """Add the commands `policy …`."""
    policy = typer.Typer(help="The policy's file.", no_args_is_help=True)
    policy.command()(check)
    policy.callback()(_policy)
    app.add_typer(policy, name="policy")


def check(file: Annotated[Path, typer.Argument(help="The policy's YAML file.", show_default=False)]) -> None:
    """Whether FILE is a policy: its version (exit 0), or line, field and reason of each fault (exit 1)."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        _refuse(f"{file}: {error.strerror}")
    except UnicodeDecodeError:
        _refuse(f"{file}: is not UTF-8 text")
    try:
        policy = load_policy(text)
    except PolicyError as error:
        out = Console(soft_wrap=True, highlight=False, markup=False)
        for fault in error.faults:
            out.print(f"{file}:{fault.line}: {fault.field or 'policy'}: {fault.reason}")
        raise typer.Exit(1) from None
    Console(soft_wrap=True, highlight=False, markup=False).print(f"{file}: version {policy_version(policy)}")


def _policy() -> None:
    """The policy's file."""


def _refuse(nonsense: str) -> NoReturn:
    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(nonsense)
    raise typer.Exit(2)
