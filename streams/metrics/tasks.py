"""How long the work takes, and how the tasks do."""

from streams.metrics.catalogue import DELAY_BUCKETS, SIZE_BUCKETS, Catalogue


class TaskMetrics:
    """Latencies, leases, lag, queues, restores."""

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
            "Customers with a timer; one whose timers were all cancelled counts until the first was due.",
            "Growing without end: stream time stands still, see watermark_lag_seconds.",
        )
        self.rows = has.gauge(
            "rows",
            "task",
            "Customers in the store.",
            "Plan memory with 1.2 KB a row.",
        )
        self.rows_unpacked = has.gauge(
            "rows_unpacked",
            "task",
            "Customers whose rows are kept unpacked: the worker's hot_rows in equal shares.",
            "Plan memory with 10 KB each, and set hot_rows by it.",
        )
        self.failed_batches = has.counter(
            "failed_batches_total",
            "reason",
            "Batches thrown away and done again.",
            "Fenced now and then is a moved lease. A run of any reason: see the worker's log.",
        )
