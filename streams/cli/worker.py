"""`pulpero worker`: run the tasks that Kafka gives to this process."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from schemas.policy import Policy
from schemas.policy_file import PolicyError, load_policy
from streams import logs
from streams.app import build_app
from streams.cli.terminal import read_settings, refuse
from streams.settings import Settings
from streams.worker import run

DEFAULT_POLICY_VERSION = "built-in"


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def worker(
        json_logs: Annotated[bool, typer.Option("--json-logs", help="One JSON object a log line.")] = False,
    ) -> None:
        """Run a worker: take leases, process their tasks, exactly once. Settings come from PULPERO_*."""
        settings = read_settings()
        logs.configure(json_logs)
        raise typer.Exit(asyncio.run(run(build_app(settings, policy_of(settings)), settings)))


def policy_of(settings: Settings) -> Policy:
    """The deployment's policy; the built-in defaults without a file. Exits with 2 on a faulty one."""
    if settings.policy is None:
        return Policy(version=DEFAULT_POLICY_VERSION)
    try:
        return load_policy(Path(settings.policy).read_text(encoding="utf-8"))
    except (OSError, PolicyError) as fault:
        refuse(f"policy {settings.policy}: {fault}")
