"""The models that the learner published, as scorers for this worker's tasks."""

import logging

from models.scorers import scorers_of
from models.snapshot import NewerSnapshotError, Snapshot, SnapshotReader, SnapshotRefusedError
from schemas.topics import MODELS
from streams.clock import wall_millis
from streams.engine.follower import Follower
from streams.engine.versions import Versions
from streams.metrics import Metrics
from streams.settings import Settings

log = logging.getLogger(__name__)


class PublishedModels(Follower):
    """Keeps `Versions.scorers` at the newest snapshots. One that must not be used is left aside, loudly."""

    def __init__(self, settings: Settings, versions: Versions, metrics: Metrics) -> None:
        super().__init__(settings, MODELS)
        self._versions = versions
        self._metrics = metrics
        self._reader = SnapshotReader()

    def take(self, key: bytes, value: bytes | None, offset: int) -> None:
        """Take a chunk or manifest; a complete snapshot becomes the scorer."""
        try:
            snapshot = read_record(self._reader, key, value, offset)
            if snapshot is None:
                return
            scorer = scorers_of({snapshot.model: snapshot})[snapshot.model]
        except (SnapshotRefusedError, KeyError) as refused:
            log.error("models: a snapshot is left aside", extra={"offset": offset, "why": str(refused)})
            return
        self._versions.scorers[snapshot.model] = scorer
        self._metrics.model_version.labels(snapshot.model).set(scorer.version)
        taken_at = wall_millis()
        age = self._metrics.snapshot_age_seconds.labels(snapshot.model)
        age.set_function(lambda: (wall_millis() - taken_at) / 1000)


def read_record(
    reader: SnapshotReader, key: bytes | None, value: bytes | None, offset: int
) -> Snapshot | None:
    """The snapshot that this record of `models` completes. One that makes no sense is left aside, loudly.

    Raises NewerSnapshotError.
    """
    try:
        return reader.feed((key or b"").decode(), value)
    except NewerSnapshotError:
        raise
    except (SnapshotRefusedError, UnicodeDecodeError) as refused:
        log.error("models: a record is left aside", extra={"offset": offset, "why": str(refused)})
        return None
