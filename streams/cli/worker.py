"""`pulpero worker`: run the tasks that Kafka gives to this process."""

import asyncio
import errno
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schemas.policy import Policy
from schemas.policy_file import PolicyError, load_policy
from streams import logs
from streams.cli.terminal import fail, kafka_settings, known_touchpoints, refuse
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.app import App

DEFAULT_POLICY_VERSION = "built-in"

_ADDRESS_FAULTS = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES)


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def worker(
        json_logs: Annotated[bool, typer.Option("--json-logs", help="One JSON object a log line.")] = False,
    ) -> None:
        """Run a worker: take leases, process their tasks, exactly once. Settings come from PULPERO_*."""
        # Imported here, because Faust and River take two seconds that no other command should wait for.
        from streams.worker import run

        settings = kafka_settings()
        app = app_of(settings)
        logs.configure(json_logs)
        try:
            code = asyncio.run(run(app, settings))
        except OSError as error:
            if error.errno not in _ADDRESS_FAULTS:
                raise
            fail(
                f"{settings.metrics_host}:{settings.metrics_port}: {error.strerror}; set PULPERO_METRICS_PORT"
            )
        raise typer.Exit(code)


def app_of(settings: Settings) -> "App":
    """The worker's app; exits with 2 and one line for a policy, a touchpoint or an agent that is none."""
    from streams.app import AgentFault, build_app

    policy = policy_of(settings)
    known_touchpoints(settings)
    for module in settings.agents:
        try:
            found = import_module(module)
        except Exception as error:
            # Somebody else's code: whatever it raises, its module is to blame.
            refuse(f"PULPERO_AGENTS: {module}: {_said(error)}")
        if not callable(getattr(found, "register", None)):
            refuse(f"PULPERO_AGENTS: {module} has no register(app)")
    try:
        return build_app(settings, policy)
    except AgentFault as fault:
        refuse(f"PULPERO_AGENTS: {' '.join(str(fault).split())}")


def policy_of(settings: Settings) -> Policy:
    """The deployment's policy; the built-in defaults without a file. Exits with 2 on a faulty one."""
    if settings.policy is None:
        return Policy(version=DEFAULT_POLICY_VERSION)
    try:
        return load_policy(Path(settings.policy).read_text(encoding="utf-8"))
    except (OSError, PolicyError) as fault:
        refuse(f"PULPERO_POLICY: {settings.policy}: {_one_line(fault)}")


def _one_line(fault: OSError | PolicyError) -> str:
    return (
        fault.strerror or "cannot be read"
        if isinstance(fault, OSError)
        else "; ".join(str(fault).splitlines())
    )


def _said(fault: Exception) -> str:
    """Kind and text in one line."""
    return f"{type(fault).__name__}: {' '.join(str(fault).split())}"
