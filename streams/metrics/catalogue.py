"""What a metric is: its name, kind, labels, meaning and what to do when it looks wrong."""

from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PREFIX = "pulpero_"

LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
DELAY_BUCKETS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
SIZE_BUCKETS = (1.0, 10.0, 50.0, 100.0, 500.0, 1000.0, 2000.0, 4000.0, 10000.0)

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One entry of the catalogue. `name` is the one a query uses; a histogram's ends without its suffix."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    remedy: str

    @property
    def series(self) -> tuple[str, ...]:
        """The names of the time series that a scrape brings."""
        if self.kind == "histogram":
            return tuple(self.name + suffix for suffix in ("_bucket", "_count", "_sum"))
        return (self.name,)


class Catalogue:
    """Makes metrics in one registry and remembers what each one means."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.entries: list[Metric] = []

    def counter(self, name: str, labels: str, meaning: str, remedy: str) -> Counter:
        """A counter; `name` ends in `_total`, `labels` are separated by blanks."""
        entry = self._enter(name, "counter", labels, meaning, remedy)
        return Counter(entry.name, meaning, entry.labels, registry=self.registry)

    def gauge(self, name: str, labels: str, meaning: str, remedy: str) -> Gauge:
        """A gauge."""
        entry = self._enter(name, "gauge", labels, meaning, remedy)
        return Gauge(entry.name, meaning, entry.labels, registry=self.registry)

    def histogram(
        self, name: str, labels: str, meaning: str, remedy: str, buckets: tuple[float, ...] = LATENCY_BUCKETS
    ) -> Histogram:
        """A histogram with the given upper bounds."""
        entry = self._enter(name, "histogram", labels, meaning, remedy)
        return Histogram(entry.name, meaning, entry.labels, registry=self.registry, buckets=buckets)

    def _enter(self, name: str, kind: Kind, labels: str, meaning: str, remedy: str) -> Metric:
        entry = Metric(PREFIX + name, kind, tuple(labels.split()), meaning, remedy)
        self.entries.append(entry)
        return entry
