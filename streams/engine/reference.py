"""Reference data and what people decided: one compacted topic that every worker reads to its end first."""

import logging

from schemas.topics import REFERENCE
from streams.engine.follower import Follower
from streams.engine.versions import Versions
from streams.metrics import Metrics
from streams.settings import Settings

log = logging.getLogger(__name__)

PAUSE_PREFIX = "pause/"
ALL_TRIGGERS = "*"


class Reference(Follower):
    """Keeps `Versions` at the newest reference data: at present, which triggers are paused.

    A record's key is `kind/id`; a tombstone takes it back. The version is the offset behind the last record.
    """

    def __init__(self, settings: Settings, versions: Versions, metrics: Metrics) -> None:
        super().__init__(settings, REFERENCE)
        self._versions = versions
        self._metrics = metrics

    def take(self, key: bytes, value: bytes | None, offset: int) -> None:
        """Note a pause or its end."""
        self._versions.reference_version = offset + 1
        kind, _, trigger = key.decode(errors="replace").partition("/")
        if f"{kind}/" != PAUSE_PREFIX:
            log.warning("reference: a record of unknown kind %r at offset %d is left aside", kind, offset)
            return
        paused = self._versions.paused
        self._versions.paused = paused | {trigger} if value is not None else paused - {trigger}
        self._metrics.paused.labels(trigger).set(value is not None)
