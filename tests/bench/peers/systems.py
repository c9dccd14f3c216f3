"""The systems that do the peers' job: what starts each, and what its process answers."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from streams.local.kafka import VERSION, fetched_jars
from streams.local.stack import cache_folder
from tests.bench.figures import BASE, Failed, Measured
from tests.bench.peers import events
from tests.bench.process import ROOT, answer

_FOLDER = Path(__file__).parent
_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
"""Has the Python peers; `make bench` makes it from the `requirements.lock` beside this file."""
_COORDINATES = (
    f"org.apache.kafka:kafka-streams:{VERSION}+com.fasterxml.jackson.core:jackson-databind:2.21.2"
    "+org.slf4j:slf4j-simple:1.7.36"
)
_QUIX, _BYTEWAX = "tests.bench.peers.quix", "tests.bench.peers.bytewax_flow"
_NO_BYTEWAX = (3, 13)
"""From this Python on Bytewax has no wheel; see `requirements.in`."""


class _Loaded(NamedTuple):
    """A topic with its number of events, and how many of those are to be learned."""

    bootstrap: str
    topic: str
    events: int
    learned: int


class PeerMissing(Exception):
    """A Python peer is not installed."""


@contextmanager
def systems(
    bootstrap: str, count: int, faust_count: int, say: Callable[[str], None]
) -> Iterator[dict[str, Callable[[int], Measured]]]:
    """The job of each system by its name, a function of the run's number; its topics are loaded first.

    Who cannot be had here is said to be missing. Raises PeerMissing if that is not its or the machine's doing.
    """
    peers = dict(_python_peers(say))
    whole, short = _load(bootstrap, "whole", count), _load(bootstrap, "short", faust_count)
    with tempfile.TemporaryDirectory() as classes:
        if (java := _compiled(Path(classes), say)) is not None:
            peers["Kafka Streams"] = java
        peers["Pulpero"] = _module(sys.executable, "tests.bench.peers.pulpero_engine")
        yield {
            BASE: partial(_run, _module(sys.executable, "tests.bench.peers.stock_faust"), short, "faust"),
            **{name: partial(_run, command, whole, _id(name)) for name, command in peers.items()},
        }


def _id(name: str) -> str:
    return name.lower().replace(" ", "-")


def _load(bootstrap: str, name: str, count: int) -> _Loaded:
    topic = f"touchpoints.peers-{name}"
    return _Loaded(bootstrap, topic, count, events.load(bootstrap, topic, count))


def _module(python: str, name: str) -> list[str]:
    return [python, "-m", name]


def _python_peers(say: Callable[[str], None]) -> Iterator[tuple[str, list[str]]]:
    if not _PYTHON.exists():
        raise PeerMissing(f"{_PYTHON.relative_to(ROOT)} is missing: `make bench` makes it")
    for name, package, module in (("Quix Streams", "quixstreams", _QUIX), ("Bytewax", "bytewax", _BYTEWAX)):
        if package == "bytewax" and sys.version_info >= _NO_BYTEWAX:
            say(f"{name} is missing: it has no wheel for this Python")
            continue
        looked = subprocess.run(
            [_PYTHON, "-c", f"import {package}"], capture_output=True, text=True, check=False
        )
        if looked.returncode:
            raise PeerMissing(f"{name} cannot be imported in {_PYTHON}:\n{looked.stderr}")
        yield name, _module(str(_PYTHON), module)


def _compiled(classes: Path, say: Callable[[str], None]) -> list[str] | None:
    """The command of Kafka Streams, or None where there is no javac. Raises StackError, CalledProcessError."""
    javac = shutil.which("javac")
    if javac is None:
        say("Kafka Streams is missing: there is no javac on this machine")
        return None
    sums = _FOLDER / "kafka-streams-jars.lock"
    jars = fetched_jars(cache_folder(), f"kafka-streams-{VERSION}", _COORDINATES, sums)
    source = _FOLDER / "KafkaStreamsPeer.java"
    subprocess.run([javac, "-cp", f"{jars}/*", "-d", classes, source], check=True)
    java = Path(javac).with_name("java")
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    return [str(java), quiet, "-cp", f"{classes}:{jars}/*", "KafkaStreamsPeer"]


def _run(command: list[str], loaded: _Loaded, name: str, run: int) -> Measured:
    """One run of one system, under a name of its own. Raises Failed."""
    arguments = (loaded.bootstrap, loaded.topic, events.PARTITIONS, loaded.events, f"peers-{name}-{run}")
    return _checked(answer([*command, *map(str, arguments)]), loaded)


def _checked(found: dict[str, float], loaded: _Loaded) -> Measured:
    """Speed counts only for who has done the job: every event once, on the right customer's row."""
    if (found["events"], found["learned"]) != (loaded.events, loaded.learned):
        expected = f"{loaded.events} events and {loaded.learned} of them learned"
        raise Failed(f"it did another job: {found['events']} and {found['learned']} instead of {expected}")
    return Measured(loaded.events, found["seconds"], found["cpu_s"])
