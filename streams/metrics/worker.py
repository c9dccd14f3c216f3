"""The worker's metrics."""

import time

from prometheus_client import CollectorRegistry

from schemas.event import Millis
from streams.metrics.catalogue import Catalogue
from streams.metrics.events import EventMetrics
from streams.metrics.inputs import InputMetrics
from streams.metrics.tasks import TaskMetrics

MAX_SOURCES = 200
OTHER = "other"
UNKNOWN = "unknown"


class Metrics(EventMetrics, TaskMetrics, InputMetrics):
    """The worker's metrics. The books balance: consumed = applied + duplicate + late + dead."""

    def __init__(self, registry: CollectorRegistry) -> None:
        has = Catalogue(registry)
        self.catalogue = has.entries
        self.registry = registry
        self._newest: dict[tuple[str, str], Millis] = {}
        self._sources: set[str] = set()
        self._count_events(has)
        self._count_decisions(has)
        self._watch_time(has)
        self._watch_tasks(has)
        self._watch_feeds(has)
        self._watch_models(has)

    def source(self, name: str | None) -> str:
        """The label value for a producer's name: at most MAX_SOURCES of them, `other` beyond."""
        if name is None:
            return UNKNOWN
        if name not in self._sources:
            if len(self._sources) >= MAX_SOURCES:
                return OTHER
            self._sources.add(name)
        return name

    def fresh(self, touchpoint: str, source: str, appended_at: Millis) -> None:
        """Note that a record of this feed was appended then; the feed's age is computed at each scrape."""
        feed = (touchpoint, source)
        if feed not in self._newest:
            self._newest[feed] = appended_at
            self.feed_freshness_seconds.labels(*feed).set_function(lambda: self._age_seconds(feed))
        elif appended_at > self._newest[feed]:
            self._newest[feed] = appended_at

    def _age_seconds(self, feed: tuple[str, str]) -> float:
        return max(0.0, time.time() - self._newest[feed] / 1000)
