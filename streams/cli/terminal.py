"""What all commands share: settings, consoles, and one clear line on stderr for what cannot be.

Exit code 2 says that what was asked for is nonsense, 1 that the world did not play along.
"""

import socket
from typing import NoReturn

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console

from schemas.touchpoints import load
from schemas.touchpoints.touchpoint import Touchpoint
from streams.settings import Settings

CONNECT_SECONDS = 3.0
KAFKA_PORT = "9092"


def read_settings() -> Settings:
    """The settings of the environment; exits with 2 and one line for a value that is none."""
    try:
        return Settings()
    except ValidationError as error:
        fault = error.errors()[0]
        name = "_".join(str(each) for each in fault["loc"][:1]).upper()
        refuse(f"PULPERO_{name}: {fault['msg']}")
    except SettingsError as error:
        # The name stands nowhere but in the text, in quotes.
        name = str(error).split('"')[1].upper()
        refuse(f"""PULPERO_{name}: a list is written like '["first.module", "second.module"]'""")


def kafka_settings() -> Settings:
    """The settings, once somebody listens at Kafka's address; exits with 1 and one line if nobody does.

    The clients themselves would try again and again, and complain at each attempt.
    """
    settings = read_settings()
    if not any(_listens(address) for address in settings.bootstrap.split(",")):
        fail(f"no Kafka answers at {settings.bootstrap}; `pulpero up` starts one on this machine")
    return settings


def known_touchpoints(settings: Settings) -> tuple[Touchpoint, ...]:
    """The built-in touchpoints and the shop's own; exits with 2 and one line for a module that has none."""
    try:
        return load(settings.touchpoints)
    except (ImportError, ValueError) as error:
        refuse(f"PULPERO_TOUCHPOINTS: {error}")


def plain() -> Console:
    """Stdout for lines that others may read: nothing wrapped, coloured or interpreted."""
    return Console(soft_wrap=True, highlight=False, markup=False)


def refuse(nonsense: str) -> NoReturn:
    """Say what is wrong on stderr and exit with 2."""
    _end(nonsense, 2)


def fail(fault: str) -> NoReturn:
    """Say on stderr what did not work and exit with 1."""
    _end(fault, 1)


def _end(line: str, code: int) -> NoReturn:
    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(line)
    raise typer.Exit(code)


def _listens(address: str) -> bool:
    host, _, port = address.strip().rpartition("://")[2].partition(":")
    try:
        with socket.create_connection((host, int(port or KAFKA_PORT)), CONNECT_SECONDS):
            return True
    except (OSError, ValueError, OverflowError):
        return False
