"""The worker's metrics."""

import time

from prometheus_client import CollectorRegistry

from schemas.event import Millis
from streams.metrics.catalogue import DELAY_BUCKETS, SIZE_BUCKETS, Catalogue

MAX_SOURCES = 200
OTHER = "other"
UNKNOWN = "unknown"


class Metrics:
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

    def _count_events(self, has: Catalogue) -> None:
        self.consumed = has.counter(
            "consumed_total",
            "touchpoint source",
            "Records taken from a touchpoint and committed.",
            "Zero while producers send: see lag, then tasks_open and the worker's log.",
        )
        self.applied = has.counter(
            "applied_total",
            "touchpoint source",
            "Events that changed a customer's row.",
            "Far below consumed: see duplicate, late and dead for where the rest went.",
        )
        self.duplicate = has.counter(
            "duplicate_total",
            "touchpoint source",
            "Events seen before; they changed nothing.",
            "A steady share is a producer that retries. A jump after a replay is expected.",
        )
        self.late = has.counter(
            "late_total",
            "touchpoint source",
            "Events further behind stream time than their touchpoint allows; dropped.",
            "The source buffers too long or its clock is wrong: correct it, or allow more lateness.",
        )
        self.dead = has.counter(
            "dead_total",
            "touchpoint source reason",
            "Records put on the dead-letter topic.",
            "`pulpero tail dead-letters`; mend the source; `pulpero dlq redrive --reason R --source S`.",
        )
        self.poison = has.counter(
            "poison_total",
            "",
            "Records whose processing failed twice through a fault of ours; dead-lettered.",
            "A defect: keep the dead letter, report it with the worker's log, redrive after the fix.",
        )
        self.unknown_fields = has.counter(
            "unknown_fields_total",
            "source",
            "Fields that the contract does not know; ignored.",
            "The source speaks a newer schema or mistypes a field: `pulpero contract check` names them.",
        )
        self.dropped_records = has.counter(
            "dropped_records_total",
            "reason",
            "Fetched records thrown away: below_offset, or stale_incarnation after a failed batch.",
            "Harmless: they are read again or were committed. A steady rate means that batches keep failing.",
        )

    def _count_decisions(self, has: Catalogue) -> None:
        self.actions = has.counter(
            "actions_total",
            "trigger channel",
            "Actions committed.",
            "None for long: see suppressed and deferred by reason, then paused.",
        )
        self.cancelled_actions = has.counter(
            "cancelled_actions_total",
            "trigger reason",
            "Actions called back before they were sent.",
            "A high share: the silence timer of that trigger is too short.",
        )
        self.suppressed = has.counter(
            "suppressed_total",
            "trigger reason",
            "Candidates that a gate stopped for good.",
            "`pulpero tail decisions` shows the gate; consent and cap are policy, not faults.",
        )
        self.deferred = has.counter(
            "deferred_total",
            "trigger reason",
            "Candidates that a gate put off.",
            "With reason feed_stale: mend the feed. With reason paused: `pulpero actions resume`.",
        )
        self.paused = has.gauge(
            "paused",
            "trigger",
            "1 while a person has paused the trigger (`*`: all of them).",
            "`pulpero actions resume --trigger T` when the cause is gone.",
        )
        self.examples = has.counter(
            "examples_total",
            "model",
            "Labelled examples written for the learner.",
            "None: no outcome arrives, or no customer consents to profiling.",
        )

    def _watch_time(self, has: Catalogue) -> None:
        self.event_to_action_seconds = has.histogram(
            "event_to_action_seconds",
            "",
            "From the append of the record that caused an action to the moment its commit is visible.",
            "Compare batch_seconds with commit_seconds: ours or the broker's; add workers if lag grows.",
        )
        self.timer_delay_seconds = has.histogram(
            "timer_delay_seconds",
            "",
            "How long after its due time a timer fired (time: live).",
            "About the policy's grace is normal. More: the task is behind, see lag_records.",
            DELAY_BUCKETS,
        )
        self.batch_seconds = has.histogram(
            "batch_seconds",
            "",
            "Decoding, merging, folding and deciding of one batch.",
            "See batch_records; many timers may have fired at once. Add workers, up to the task count.",
        )
        self.commit_seconds = has.histogram(
            "commit_seconds",
            "",
            "One transaction, from begin to committed.",
            "The broker is slow: see its disks and its in-sync replicas.",
        )
        self.batch_records = has.histogram(
            "batch_records",
            "",
            "Records in one batch.",
            "Always at the limit: the worker is behind, see lag_records.",
            SIZE_BUCKETS,
        )

    def _watch_tasks(self, has: Catalogue) -> None:
        self.ready = has.gauge(
            "ready",
            "",
            "1 while all tasks that this worker holds are open.",
            "0 for minutes: restore_remaining tells the progress; else see the worker's log.",
        )
        self.tasks_wanted = has.gauge(
            "tasks_wanted",
            "",
            "Tasks that this worker holds the lease of.",
            "The sum over workers is the partition count; less: no worker is in the group.",
        )
        self.tasks_open = has.gauge(
            "tasks_open",
            "",
            "Tasks that are open and take records.",
            "Below tasks_wanted: restoring, or failing to open; see the worker's log.",
        )
        self.rebalances = has.counter(
            "rebalances_total",
            "",
            "Changes of the set of leases.",
            "A steady rate: workers die or miss heartbeats; set instance_id, see the machine's load.",
        )
        self.lag_records = has.gauge(
            "lag_records",
            "topic task",
            "Offsets between the task's next record and the end of its partition.",
            "Growing: more workers, up to the task count. One task only: a hot customer, see its source.",
        )
        self.watermark_lag_seconds = has.gauge(
            "watermark_lag_seconds",
            "task",
            "Wall clock less stream time.",
            "High without lag: all sources of the task are silent or their clocks are slow.",
        )
        self.queue_bytes = has.gauge(
            "queue_bytes",
            "task",
            "Bytes fetched and not yet taken.",
            "At its bound: the task is the bottleneck, which is what the bound is for.",
        )
        self.restore_remaining = has.gauge(
            "restore_remaining",
            "task",
            "Changelog offsets still to be read by an opening task.",
            "Not shrinking: the broker does not answer.",
        )
        self.restored_rows = has.counter(
            "restored_rows_total",
            "",
            "Changelog records read by opening tasks.",
            "Many more than rows: the changelog is not compacted, see its topic's settings.",
        )
        self.restore_seconds = has.histogram(
            "restore_seconds",
            "",
            "From the proof of the lease to the first record taken.",
            "Long: changelog not compacted, or more tasks a worker than it should have.",
            DELAY_BUCKETS,
        )
        self.timers_open = has.gauge(
            "timers_open",
            "task",
            "Customers with at least one timer set.",
            "Growing without end: stream time stands still, see watermark_lag_seconds.",
        )
        self.rows = has.gauge(
            "rows",
            "task",
            "Customers in the store.",
            "Plan memory with 1.2 KB a row.",
        )
        self.failed_batches = has.counter(
            "failed_batches_total",
            "reason",
            "Batches thrown away and done again.",
            "Fenced now and then is a moved lease. A run of any reason: see the worker's log.",
        )

    def _watch_feeds(self, has: Catalogue) -> None:
        self.feed_freshness_seconds = has.gauge(
            "feed_freshness_seconds",
            "touchpoint source",
            "Age of the newest record of the feed.",
            "Ask the source's owner; meanwhile the triggers that the feed would cancel are held.",
        )
        self.feed_stale = has.gauge(
            "feed_stale",
            "touchpoint task",
            "1 while the task takes the touchpoint for silent and holds the triggers that it would cancel.",
            "See feed_freshness_seconds for which source; nothing is sent wrongly, it waits.",
        )

    def _watch_models(self, has: Catalogue) -> None:
        self.model_auc = has.gauge(
            "model_auc",
            "model",
            "Prequential area under the ROC curve.",
            "Falling to 0.5: the model guesses; see model_examples and the labels' delay.",
        )
        self.model_log_loss = has.gauge(
            "model_log_loss",
            "model",
            "Prequential log-loss.",
            "Rising: drift; look at the share of positive labels.",
        )
        self.model_version = has.gauge(
            "model_version",
            "model",
            "Version of the newest published snapshot; 0 is the cold-start rule.",
            "Stands still: the learner is down or no examples come.",
        )
        self.model_examples = has.gauge(
            "model_examples",
            "model",
            "Examples that the model has learned from.",
            "Stands still while examples_total grows: the learner is down.",
        )
        self.snapshot_age_seconds = has.gauge(
            "snapshot_age_seconds",
            "model",
            "Age of the model's snapshot that the tasks score with.",
            "Old: see model_version; scoring goes on with the last one.",
        )
