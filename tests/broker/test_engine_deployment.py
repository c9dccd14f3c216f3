"""All workers of a deployment tell time alike and read the same touchpoints; one that would not is refused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.broker.workers import ROOT, Deployment, await_true, deployed

pytestmark = pytest.mark.broker

EXAMPLES = {
    "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'deploy' / 'examples'}",
    "PULPERO_TOUCHPOINTS": '["store_visits"]',
}


def test_a_worker_that_tells_time_otherwise_is_refused_until_the_deployment_is_redefined(kafka: str) -> None:
    with deployed(kafka, time="events", idle_ms=20) as shop:
        worker = shop.start().await_ready()
        stranger = shop.start(PULPERO_TIME="live")
        assert stranger.wait(40) == 1, stranger.said
        assert "PULPERO_TIME is live here, the deployment's is events" in stranger.said
        assert "way out: give this worker the settings of the others" in stranger.said
        assert worker.is_ready
        replayed = _pulpero(shop, "replay", str(ROOT / "streams" / "local" / "data"), PULPERO_TIME="live")
        assert replayed.returncode == 2, replayed.stderr
        assert "PULPERO_TIME is live here, but the deployment" in replayed.stderr

        assert _pulpero(shop, "topics", "redefine", PULPERO_TIME="live").returncode == 0
        assert worker.wait(40) == 1, worker.said
        assert "DeploymentDiffers: the deployment was changed under this worker" in worker.said
        shop.start(PULPERO_TIME="live").await_ready()


def test_a_touchpoint_is_added_worker_by_worker(kafka: str) -> None:
    with deployed(kafka, time="events", idle_ms=20) as shop:
        old = shop.start().await_ready()
        assert _pulpero(shop, "topics", "create", **EXAMPLES).returncode == 0
        new = shop.start(**EXAMPLES).await_ready()
        await_true("the news", lambda: "the deployment has new touchpoints" in old.said)
        await_true("both ready", lambda: old.is_ready and new.is_ready)

        late = shop.start()
        assert late.wait(40) == 1, late.said
        assert "the deployment reads store_visits, which PULPERO_TOUCHPOINTS does not name" in late.said
        assert old.stop() == 0, old.said
        await_true("all tasks", lambda: new.metric("tasks_open") == shop.settings.partitions)
    leftover = shop.admin.delete_topics(["touchpoints.store_visits"])
    leftover["touchpoints.store_visits"].result()


def _pulpero(shop: Deployment, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    pulpero = Path(sys.executable).with_name("pulpero")
    environment = shop.environment(**more)
    return subprocess.run([pulpero, *command], env=environment, cwd=ROOT, capture_output=True, text=True)
