"""`pulpero topics`: make the topics, say how they differ from the registry, say what the deployment is."""

from collections.abc import Callable
from typing import TypeVar

import typer
from confluent_kafka import KafkaException

from schemas.topics import Topic, topics
from streams.cli.terminal import fail, kafka_settings, known_touchpoints, plain
from streams.engine import admin
from streams.engine.deployment import deployment_of, write_deployment
from streams.settings import Settings

Result = TypeVar("Result")


def register(app: typer.Typer) -> None:
    """Add `topics create`, `topics check` and `topics redefine`."""
    commands = typer.Typer(help="The topics of the registry.", no_args_is_help=True)
    commands.command()(create)
    commands.command()(check)
    commands.command()(redefine)
    app.add_typer(commands, name="topics")


def create() -> None:
    """Make the topics that are missing; those that exist are left as they are.

    Exit 1 if a worker cannot run with those.
    """
    made = _ask(admin.create)
    for name in made:
        plain().print(f"made {name}")
    plain().print(f"{len(made)} topics made")
    _report(_ask(admin.faults))


def check() -> None:
    """Say how the broker's topics differ from the registry; exit 1 if they do."""
    found = _ask(admin.differences)
    _report(found)
    plain().print("all topics are as they should be")


def redefine() -> None:
    """Write down PULPERO_TIME and the touchpoints as the deployment's from now on. Stop all its workers before."""
    settings = kafka_settings()
    deployment = deployment_of(settings, (each.name for each in known_touchpoints(settings)))
    try:
        write_deployment(settings, deployment)
    except KafkaException as error:
        fail(f"Kafka at {settings.bootstrap}: {error.args[0].str()}")
    plain().print(
        f"{settings.app_id}: time {deployment.time}, touchpoints {', '.join(sorted(deployment.touchpoints))}"
    )


def _report(faults: list[str]) -> None:
    """A line each, and exit 1 if there are any."""
    for line in faults:
        plain().print(line)
    if faults:
        raise typer.Exit(1)


def _ask(question: Callable[[Settings, tuple[Topic, ...]], Result]) -> Result:
    settings = kafka_settings()
    wanted = topics(settings.app_id, settings.partitions, known_touchpoints(settings))
    try:
        return question(settings, wanted)
    except KafkaException as error:
        fail(f"Kafka at {settings.bootstrap}: {error.args[0].str()}")
