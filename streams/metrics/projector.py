"""The projector's metrics."""

from prometheus_client import CollectorRegistry

from streams.metrics.catalogue import Catalogue


class ProjectorMetrics:
    """The projector's metrics: it is a process of its own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        has = Catalogue(registry)
        self.catalogue = has.entries
        self.registry = registry
        self.ready = has.gauge(
            "projector_ready",
            "",
            "1 while the serving view has caught up with the topics once and Redis answers.",
            "0 for minutes: see redis_up, then projector_lag_records.",
        )
        self.records = has.counter(
            "projector_records_total",
            "topic",
            "Records read into the serving view.",
            "Zero while actions are made: the projector cannot reach Kafka.",
        )
        self.lag_records = has.gauge(
            "projector_lag_records",
            "topic",
            "Offsets between the serving view and the end of the topic, over all partitions.",
            "Growing: Redis is slow or away; nothing is lost, the view is old.",
        )
        self.write_seconds = has.histogram(
            "projector_write_seconds",
            "",
            "One write of rows, decisions and progress to Redis.",
            "Redis is slow: see its memory, persistence and network.",
        )
        self.rebuilds = has.counter(
            "projector_rebuilds_total",
            "reason",
            "Times that the view was built anew, and why: first, asked, flushed, new_topic, stale, offsets.",
            "flushed: who flushes this Redis, or does it evict? It is to run with noeviction.",
        )
        self.redis_up = has.gauge(
            "projector_redis_up",
            "",
            "1 while Redis answers the projector.",
            "Start Redis; the projector catches up by itself.",
        )
