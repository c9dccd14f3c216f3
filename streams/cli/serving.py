"""`pulpero serving`: the process that keeps the serving view in Redis."""

import asyncio
import logging
import signal
from typing import Annotated

import typer
from prometheus_client import CollectorRegistry

from schemas.topics import DECISIONS, changelog
from streams import logs, metrics_endpoint
from streams.cli.terminal import kafka_settings, refuse
from streams.metrics import ProjectorMetrics
from streams.serving.connection import connect
from streams.serving.inputs import Inputs
from streams.serving.projector import Projector
from streams.serving.sink import Sink
from streams.settings import Settings

METRICS_PORT = 9109

log = logging.getLogger(__name__)

JsonLogs = Annotated[bool, typer.Option("--json-logs", help="Log as JSON lines.")]


def register(app: typer.Typer) -> None:
    """Add the commands `serving …`."""
    serving = typer.Typer(help="The serving view in Redis.", no_args_is_help=True)
    serving.command()(run)
    serving.command()(rebuild)
    app.add_typer(serving, name="serving")


def run(
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            help="Port of /metrics, /ready and /live; 0 for any free one.",
            show_default=f"PULPERO_METRICS_PORT, else {METRICS_PORT}",
        ),
    ] = None,
    json_logs: JsonLogs = False,
) -> None:
    """Keep the view equal to changelog and decisions until stopped."""
    settings = kafka_settings()
    logs.configure(as_json=json_logs)
    asyncio.run(_run(settings, _port(settings) if metrics_port is None else metrics_port))


def rebuild(json_logs: JsonLogs = False) -> None:
    """Empty the view, build it anew from the beginning of the topics, and end when it has caught up."""
    settings = kafka_settings()
    logs.configure(as_json=json_logs)
    if not asyncio.run(_rebuild(settings)):
        raise typer.Exit(1)


async def _run(settings: Settings, metrics_port: int) -> None:
    registry = CollectorRegistry()
    inputs, projector = _projector(settings, registry)
    host = settings.metrics_host
    try:
        endpoint = metrics_endpoint.serve(registry, host, metrics_port, lambda: projector.is_ready)
    except OSError as error:
        refuse(f"{host}:{metrics_port}: {error.strerror}")
    log.info("projector starts", extra={"app": settings.app_id, "metrics_port": endpoint.port})
    try:
        await projector.run(_stop_on_signal())
        log.info("projector stopped")
    finally:
        endpoint.close()
        await inputs.close()


async def _rebuild(settings: Settings) -> bool:
    inputs, projector = _projector(settings, CollectorRegistry())
    try:
        return await projector.run(_stop_on_signal(), rebuild=True, once=True)
    finally:
        await inputs.close()


def _projector(settings: Settings, registry: CollectorRegistry) -> tuple[Inputs, Projector]:
    rows = changelog(settings.app_id)
    try:
        redis = connect(settings.redis_url)
    except ValueError as error:
        refuse(f"PULPERO_REDIS_URL: {error}")
    inputs = Inputs(settings.bootstrap, (rows, DECISIONS))
    return inputs, Projector(inputs, rows, Sink(redis, settings.app_id), ProjectorMetrics(registry))


def _port(settings: Settings) -> int:
    """The port of the settings if somebody set it: by default worker and projector have different ones."""
    return settings.metrics_port if "metrics_port" in settings.model_fields_set else METRICS_PORT


def _stop_on_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    return stop
