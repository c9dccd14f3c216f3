"""`pulpero actions pause|resume`: the stop button."""

import asyncio
import getpass
from datetime import UTC, datetime
from typing import Annotated

import orjson
import typer
from aiokafka import AIOKafkaProducer

from schemas.topics import REFERENCE
from streams.cli.terminal import fail, kafka_settings
from streams.engine.reference import ALL_TRIGGERS, PAUSE_PREFIX

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
        by = {"by": getpass.getuser(), "at": datetime.now(UTC).isoformat(timespec="seconds")}
        asyncio.run(_write(trigger, orjson.dumps(by)))
        typer.echo(
            f"paused: {_name(trigger)}. Held actions go out after `pulpero actions resume`, or expire."
        )

    @actions.command()
    def resume(trigger: Trigger = ALL_TRIGGERS) -> None:
        """Release what `pause` with the same --trigger holds."""
        asyncio.run(_write(trigger, None))
        typer.echo(f"resumed: {_name(trigger)}")


def _name(trigger: str) -> str:
    return "all triggers" if trigger == ALL_TRIGGERS else trigger


async def _write(trigger: str, value: bytes | None) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=read_settings().bootstrap, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(REFERENCE, key=f"{PAUSE_PREFIX}{trigger}".encode(), value=value)
    finally:
        await producer.stop()
