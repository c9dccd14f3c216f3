"""`pulpero actions pause|resume`: the stop button, and the release of what stopped by itself."""

import asyncio
import getpass
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import orjson
import typer
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.topics import REFERENCE
from streams.cli.records import Reader
from streams.cli.terminal import fail, kafka_settings, refuse
from streams.engine.reference import ALL_TRIGGERS, PAUSE_PREFIX, RELEASE_PREFIX
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
        settings = _settings(trigger)
        _write(settings, {PAUSE_PREFIX + trigger: _by_whom()})
        typer.echo(
            f"paused: {_name(trigger)}. Held actions go out after `pulpero actions resume`, or expire."
        )

    @actions.command()
    def resume(trigger: Trigger = ALL_TRIGGERS) -> None:
        """Release what `pause` with the same --trigger holds, and what fires far more than usual and is held for it.

        Without --trigger, everything.
        """
        settings = _settings(trigger)
        paused = _paused(settings) if trigger == ALL_TRIGGERS else set()
        ended = {PAUSE_PREFIX + each: None for each in sorted(paused | {trigger})}
        _write(settings, {RELEASE_PREFIX + trigger: _by_whom(), **ended})
        typer.echo(f"resumed: {_name(trigger)}")


def _name(trigger: str) -> str:
    return "all triggers" if trigger == ALL_TRIGGERS else trigger


def _settings(trigger: str) -> Settings:
    """The settings, once it is sure that there is such a trigger."""
    families = {each.NAME for each in FAMILIES}
    # Templates below a trigger (`abandonment.help.…`) are its variants, not triggers.
    known = families | {each for each in WORDINGS if each.count(".") < 2}
    if trigger != ALL_TRIGGERS and trigger not in known:
        refuse(f"--trigger {trigger}: one of {', '.join(sorted(known))}")
    return kafka_settings()


def _by_whom() -> bytes:
    return orjson.dumps({"by": _somebody(), "at": datetime.now(UTC).isoformat(timespec="seconds")})


def _paused(settings: Settings) -> set[str]:
    """The triggers that are paused by name."""
    with Reader(settings.bootstrap) as reader:
        names = [key.decode(errors="replace") for key in reader.newest(REFERENCE)]
    return {name.removeprefix(PAUSE_PREFIX) for name in names if name.startswith(PAUSE_PREFIX)}


def _write(settings: Settings, records: Mapping[str, bytes | None]) -> None:
    try:
        asyncio.run(_send(settings, records))
    except KafkaError as error:
        fail(f"Kafka at {settings.bootstrap}: {error}")


async def _send(settings: Settings, records: Mapping[str, bytes | None]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap, acks="all")
    await producer.start()
    try:
        for key, value in records.items():
            await producer.send_and_wait(REFERENCE, key=key.encode(), value=value)
    finally:
        await producer.stop()


def _somebody() -> str:
    """Who asks; in a container without a user's entry the number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
