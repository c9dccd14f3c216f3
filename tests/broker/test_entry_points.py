"""The commands that deploy/compose.yaml gives the containers, run with its settings against a real broker."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka.admin import AdminClient

from schemas.topics import topics
from schemas.touchpoints import load
from streams.local import redis as embedded_redis
from streams.local.program import Program, free_port
from streams.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]
ENTRY_POINT = [sys.executable, "-c", "from streams.cli.main import main; main()"]


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    server, port = Program("redis", tmp_path / "redis"), free_port()
    embedded_redis.start(server, port, tethered=False)
    yield f"redis://127.0.0.1:{port}/0"
    server.stop()


class Container:
    """A service of the compose file as a process of this machine."""

    def __init__(self, name: str, folder: Path, settings: Settings, redis_url: str) -> None:
        service = COMPOSE[name]
        self._port = free_port()
        self._here = {"9108": str(self._port), "9109": str(self._port)}
        here = {
            "PULPERO_BOOTSTRAP": settings.bootstrap,
            "PULPERO_REDIS_URL": redis_url,
            "PULPERO_POLICY": str(ROOT / "deploy" / "policy.yaml"),
            "PULPERO_METRICS_PORT": str(self._port),
            "PULPERO_METRICS_HOST": "127.0.0.1",
            "PULPERO_APP_ID": settings.app_id,
            "PYTHONPATH": str(ROOT),
        }
        self._healthcheck = service.get("healthcheck", {}).get("test", [])
        self._log = (folder / f"{name}.log").open("wb")
        self.process = subprocess.Popen(
            [*ENTRY_POINT, *self._moved(service["command"])],
            cwd=folder,
            env={**service["environment"], **here},
            stderr=self._log,
        )

    def is_healthy(self) -> bool:
        """What the compose file's health check says."""
        _, program, *arguments = self._healthcheck
        assert program == "python"
        check = [sys.executable, *self._moved(arguments)]
        return subprocess.run(check, capture_output=True, check=False).returncode == 0

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._log.close()

    def _moved(self, arguments: list[str]) -> list[str]:
        for there, here in self._here.items():
            arguments = [each.replace(there, here) for each in arguments]
        return arguments


@pytest.mark.parametrize("name", ["worker", "projector"])
def test_a_containers_command_becomes_healthy_and_stops_when_asked(
    name: str, deployment: Settings, redis_url: str, tmp_path: Path
) -> None:
    _make_topics(deployment, redis_url, tmp_path)
    container = Container(name, tmp_path, deployment, redis_url)
    try:
        deadline = time.monotonic() + 60
        while not container.is_healthy():
            log = (tmp_path / f"{name}.log").read_text()
            assert container.process.poll() is None, log
            assert time.monotonic() < deadline, log
        container.process.terminate()
        assert container.process.wait(15) == 0
    finally:
        container.close()


def _make_topics(deployment: Settings, redis_url: str, folder: Path) -> None:
    """As the container `topics` does, which has 12 partitions where the fixture made 3."""
    admin = AdminClient({"bootstrap.servers": deployment.bootstrap, "log_level": 0})
    names = {each.name for each in topics(deployment.app_id, 12, load())}
    for gone in admin.delete_topics(sorted(names)).values():
        gone.result()
    deadline = time.monotonic() + 30
    while names & set(admin.list_topics(timeout=10).topics):
        assert time.monotonic() < deadline
    container = Container("topics", folder, deployment, redis_url)
    assert container.process.wait(60) == 0
    container.close()
    assert len(admin.list_topics("actions", timeout=10).topics["actions"].partitions) == 12
