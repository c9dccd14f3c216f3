"""`pulpero actions pause|resume`: the stop button."""

import asyncio
import getpass
import os
from datetime import UTC, datetime
from typing import Annotated

import orjson
import typer
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.topics import REFERENCE
from streams.cli.terminal import fail, kafka_settings, refuse
from streams.engine.reference import ALL_TRIGGERS, PAUSE_PREFIX
from streams.settings import Settings
from streams.triggers.families import FAMILIES
from streams.triggers.texts import WORDINGS

Trigger = Annotated[
    str, typer.Option("--trigger", help="A trigger (`abandonment.cart`) or a family (`abandonment`).")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    actions = typer.Typer(no_args_is_help=True, help="Stop and release actions.")
    app.add_typer(actions, name="actions")

    @actions.command()
    def pause(trigger: Trigger = ALL_TRIGGERS) -> None:
        """Hold all actions, or one trigger's, within a second; the customers' state keeps moving."""
        by = {"by": _somebody(), "at": datetime.now(UTC).isoformat(timespec="seconds")}
        _say(trigger, orjson.dumps(by))
        typer.echo(
            f"paused: {_name(trigger)}. Held actions go out after `pulpero actions resume`, or expire."
        )

    @actions.command()
    def resume(trigger: Trigger = ALL_TRIGGERS) -> None:
        """Release what `pause` with the same --trigger holds."""
        _say(trigger, None)
        typer.echo(f"resumed: {_name(trigger)}")


def _name(trigger: str) -> str:
    return "all triggers" if trigger == ALL_TRIGGERS else trigger


def _say(trigger: str, value: bytes | None) -> None:
    families = {each.NAME for each in FAMILIES}
    # Templates below a trigger (`abandonment.help.…`) are its variants, not triggers.
    known = families | {each for each in WORDINGS if each.count(".") < 2}
    if trigger != ALL_TRIGGERS and trigger not in known:
        refuse(f"--trigger {trigger}: one of {', '.join(sorted(known))}")
    settings = kafka_settings()
    try:
        asyncio.run(_write(settings, trigger, value))
    except KafkaError as error:
        fail(f"Kafka at {settings.bootstrap}: {error}")


async def _write(settings: Settings, trigger: str, value: bytes | None) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(REFERENCE, key=f"{PAUSE_PREFIX}{trigger}".encode(), value=value)
    finally:
        await producer.stop()


def _somebody() -> str:
    """Who asks; in a container without a user's entry the number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
