"""What all commands share: the settings, the consoles, and one clear line and exit 2 for nonsense."""

from typing import NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console

from streams.settings import Settings


def read_settings() -> Settings:
    """The settings of the environment; exits with 2 and one line for a value that is none."""
    try:
        return Settings()
    except ValidationError as error:
        fault = error.errors()[0]
        name = "_".join(str(each) for each in fault["loc"][:1]).upper()
        refuse(f"PULPERO_{name}: {fault['msg']}")


def plain() -> Console:
    """Stdout for lines that others may read: nothing wrapped, coloured or interpreted."""
    return Console(soft_wrap=True, highlight=False, markup=False)


def refuse(nonsense: str) -> NoReturn:
    """Say what is wrong on stderr and exit with 2."""
    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(nonsense)
    raise typer.Exit(2)
