"""The demo's processes: the embedded stack, its topics, one worker and the projector, all gone at the end."""

import os
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError

from schemas import topics
from schemas.touchpoints import load
from streams.engine import admin
from streams.local.program import Program, free_port
from streams.local.stack import embedded
from streams.settings import Settings

READY_SECONDS = 60.0
PARTITIONS = 4
"""One worker on a small machine: a transaction for each of 12 tasks, ten times a second, costs more than the work."""
IDLE_MS = 30_000
"""Every partition is told the time ten times a second; one that hears nothing waits for a busy broker."""


class Running(NamedTuple):
    """The demo while it runs; `environment` is what another `pulpero` needs to find it."""

    settings: Settings
    environment: Mapping[str, str]


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    """Start everything and wait until the worker is ready; stop everything when the block ends.

    Event time moves by events alone, so that days pass in seconds. Raises StackError.
    """
    with ExitStack() as undo:
        stack = undo.enter_context(embedded())
        settings = Settings(
            bootstrap=stack.bootstrap,
            redis_url=stack.redis_url,
            time="events",
            partitions=PARTITIONS,
            idle_ms=IDLE_MS,
            metrics_port=free_port(),
        )
        admin.create(
            settings, topics.topics(settings.app_id, settings.partitions, load(settings.touchpoints))
        )
        found = {
            "PULPERO_BOOTSTRAP": settings.bootstrap,
            "PULPERO_TIME": settings.time,
            "PULPERO_PARTITIONS": str(settings.partitions),
        }
        own = {
            **os.environ,
            **found,
            "PULPERO_REDIS_URL": settings.redis_url,
            "PULPERO_IDLE_MS": str(settings.idle),
            "PULPERO_METRICS_PORT": str(settings.metrics_port),
        }
        worker = _start("worker", folder, own, "worker")
        undo.callback(worker.stop)
        projector = _start("projector", folder, {**own, "PULPERO_METRICS_PORT": "0"}, "serving", "run")
        undo.callback(projector.stop)
        worker.await_ready(lambda: is_ready(settings.metrics_port), READY_SECONDS)
        yield Running(settings, found)


def is_ready(port: int) -> bool:
    """Whether a worker's endpoint on this machine says that it is ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=1.0) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        time.sleep(0.05)
        return False


def _start(name: str, folder: Path, environment: Mapping[str, str], *arguments: str) -> Program:
    program = Program(name, folder.resolve() / name)
    program.start([sys.executable, "-m", "streams", *arguments], tethered=True, environment=environment)
    return program
