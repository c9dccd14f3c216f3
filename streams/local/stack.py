"""The embedded stack as a whole: a real Kafka and a real Redis, for a while or until `down`."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from streams.local import kafka, redis
from streams.local.program import Program, StackError, free_port, require_free
from streams.settings import Settings

STATE_FOLDER = Path(".pulpero")
"""Where `up` keeps the stack's data and logs, under the current folder."""

_LOOPBACK = ("127.0.0.1", "localhost")


class Stack(NamedTuple):
    """Where the embedded servers listen, named as the settings name them."""

    bootstrap: str
    redis_url: str


class Started(NamedTuple):
    """One server of the stack after `up`; `already` if it ran before."""

    name: str
    address: str
    pid: int | None
    already: bool


@contextmanager
def embedded(*, with_redis: bool = True, brief: bool = False) -> Iterator[Stack]:
    """A stack on free ports with its data in a temporary folder, gone when the block ends.

    On Linux its processes also die with the thread that called this. `brief` is for tests: see `kafka.start`.
    Raises StackError.
    """
    with tempfile.TemporaryDirectory(prefix="pulpero-") as folder:
        broker, store = _programs(Path(folder))
        ports = free_port(), free_port()
        try:
            kafka.start(broker, ports[0], cache_folder(), tethered=True, brief=brief)
            if with_redis:
                redis.start(store, ports[1], tethered=True)
            yield Stack(f"127.0.0.1:{ports[0]}", f"redis://127.0.0.1:{ports[1]}/0")
        finally:
            store.stop()
            broker.stop()


def up(settings: Settings, folder: Path = STATE_FOLDER) -> list[Started]:
    """Start what does not run yet, on the ports that the settings name; it outlives this process.

    Raises StackError: a port is taken, a server does not start, or the settings name another machine.
    """
    broker, store = _programs(folder.resolve())
    broker_port = _port(settings.bootstrap, "PULPERO_BOOTSTRAP")
    store_port = _port(urlsplit(settings.redis_url).netloc, "PULPERO_REDIS_URL")
    started = []
    already = broker.is_alive()
    if already:
        kafka.await_ready(broker, broker_port)
    else:
        require_free(broker_port, "Kafka")
        kafka.start(broker, broker_port, cache_folder(), tethered=False)
    started.append(Started("Kafka", f"127.0.0.1:{broker_port}", broker.pid(), already))
    already = store.is_alive()
    if already:
        redis.await_ready(store, store_port)
    else:
        require_free(store_port, "Redis")
        redis.start(store, store_port, tethered=False)
    started.append(Started("Redis", f"127.0.0.1:{store_port}", store.pid(), already))
    return started


def down(folder: Path = STATE_FOLDER) -> list[str]:
    """Stop the stack of `folder`, last started first; the names of what ran. Kafka's data stay."""
    return [program.name for program in reversed(_programs(folder.resolve())) if program.stop()]


def cache_folder() -> Path:
    """Where downloads are kept: `pulpero` in the user's cache folder (XDG Base Directory)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pulpero"


def _programs(folder: Path) -> tuple[Program, Program]:
    return Program("kafka", folder / "kafka"), Program("redis", folder / "redis")


def _port(address: str, setting: str) -> int:
    host, _, port = address.rpartition(":")
    if host not in _LOOPBACK or not port.isdigit():
        raise StackError(f"{setting} is {address}: the embedded stack runs only on 127.0.0.1:<port>")
    return int(port)
