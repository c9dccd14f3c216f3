"""A system of the bench as a process of its own, which answers with one line of JSON."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from streams.local.demo import is_ready
from streams.settings import Settings
from tests.bench.figures import Failed

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 300.0
_LAST_LINES = 15


def answer(command: Sequence[str], limit_seconds: float = LIMIT_SECONDS) -> dict[str, float]:
    """What the command answers. It works in an empty folder, and is killed when it has answered or its time is up.

    Raises Failed with the last lines of its stderr if it does not answer.
    """
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "stderr").open("w+") as stderr:
        with subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process:
            limit = threading.Timer(limit_seconds, process.kill)
            limit.start()
            try:
                assert process.stdout is not None
                line = next((line for line in process.stdout if line.startswith("{")), None)
            finally:
                in_time = limit.is_alive()
                limit.cancel()
                process.kill()
        if line is None:
            why = "its process ended without an answer" if in_time else f"no answer in {limit_seconds:g} s"
            raise Failed(f"{why}; the last it said:\n{_tail(Path(stderr.name))}")
    found: dict[str, float] = json.loads(line)
    return found


@contextmanager
def worker(settings: Settings) -> Iterator[int]:
    """A worker of this deployment, from when it is ready until the block ends; its pid.

    Raises Failed if it ends before it is ready, TimeoutError if it does not become ready.
    """
    given = settings.model_dump(exclude_none=True, exclude={"touchpoints", "agents"})
    environment = {**os.environ, **{f"PULPERO_{name.upper()}": str(value) for name, value in given.items()}}
    command = [sys.executable, "-m", "streams", "worker"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + LIMIT_SECONDS
        while not is_ready(settings.metrics_port):
            if process.poll() is not None:
                raise Failed(f"the worker ended with {process.returncode} before it was ready")
            if time.monotonic() > deadline:
                raise TimeoutError("the worker did not become ready")
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def cpu_seconds(pid: int) -> float:
    """What this process has taken of the CPU, in user and kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-_LAST_LINES:])
