"""Reference data and what people decided: one compacted topic that every worker reads to its end first."""

import asyncio
import logging

from confluent_kafka import KafkaException

from schemas.topics import REFERENCE
from streams.engine.deployment import (
    DEPLOYMENT_PREFIX,
    WAY_OUT,
    Deployment,
    DeploymentDiffers,
    read_deployment,
    write_deployment,
)
from streams.engine.follower import RETRY_SECONDS, Follower
from streams.engine.versions import Versions
from streams.logs import Seldom
from streams.metrics import Metrics
from streams.settings import Settings

log = logging.getLogger(__name__)

PAUSE_PREFIX = "pause/"
RELEASE_PREFIX = "release/"
ALL_TRIGGERS = "*"


class Reference(Follower):
    """Keeps `Versions` at the newest reference data: which triggers are paused, and whose storms were released.

    A record's key is `kind/id`; a tombstone takes it back. The version is the offset behind the last record that
    decisions depend on. A deployment's record is for its workers alone: they must agree with it.
    """

    def __init__(
        self, settings: Settings, versions: Versions, metrics: Metrics, deployment: Deployment
    ) -> None:
        super().__init__(settings, REFERENCE)
        self._settings = settings
        self._versions = versions
        self._metrics = metrics
        self._deployment = deployment
        self._recorded: Deployment | None = None
        self._has_agreed = False

    def agree(self) -> list[str]:
        """After `start`: one line for everything in which this worker differs from its deployment."""
        recorded = self._recorded
        differences = self._deployment.differences(recorded) if recorded is not None else []
        self._has_agreed = not differences
        return differences

    async def write_down(self) -> None:
        """The first worker, or one that adds touchpoints, says so when it works: one that never did binds nobody.

        An error of Kafka's is logged and tried again.
        """
        loop = asyncio.get_running_loop()
        complains = Seldom()
        while self._recorded != self._deployment:
            try:
                await loop.run_in_executor(None, write_deployment, self._settings, self._deployment)
                return
            except KafkaException as failed:
                if complains():
                    log.warning("the deployment cannot be written down: %s; it is tried again", failed)
                await asyncio.sleep(RETRY_SECONDS)

    def take(self, key: bytes, value: bytes | None, offset: int) -> None:
        """Note a pause, its end, or a release.

        Raises DeploymentDiffers when the deployment was changed under this worker.
        """
        if key.startswith(DEPLOYMENT_PREFIX.encode()):
            if key == f"{DEPLOYMENT_PREFIX}{self._settings.app_id}".encode():
                self._note_deployment(value)
            return
        self._versions.reference_version = offset + 1
        kind, _, trigger = key.decode(errors="replace").partition("/")
        if f"{kind}/" == PAUSE_PREFIX:
            self._note_pause(trigger, is_paused=value is not None)
        elif f"{kind}/" == RELEASE_PREFIX:
            self._note_release(trigger, offset + 1 if value is not None else 0)
        else:
            log.warning("reference: a record of unknown kind %r at offset %d is left aside", kind, offset)

    def _note_pause(self, trigger: str, *, is_paused: bool) -> None:
        paused = self._versions.paused
        self._versions.paused = paused | {trigger} if is_paused else paused - {trigger}
        self._metrics.paused.labels(trigger).set(is_paused)

    def _note_release(self, trigger: str, version: int) -> None:
        """A new dict, for tasks hold the one that they decide with."""
        self._versions.released = {**self._versions.released, trigger: version}

    def _note_deployment(self, value: bytes | None) -> None:
        """Touchpoints that others add are no reason to end: new workers take over from this one bit by bit."""
        self._recorded = recorded = None if value is None else read_deployment(value)
        if recorded is None or not self._has_agreed:
            return
        ours = self._deployment
        dropped = sorted(ours.touchpoints - recorded.touchpoints)
        if recorded.time != ours.time or dropped:
            said = f"it tells time by {recorded.time}" if recorded.time != ours.time else f"without {dropped}"
            raise DeploymentDiffers(
                f"the deployment was changed under this worker, {said}; way out: {WAY_OUT}"
            )
        if added := sorted(recorded.touchpoints - ours.touchpoints):
            log.warning("the deployment has new touchpoints; replace this worker", extra={"added": added})
