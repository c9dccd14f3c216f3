"""What becomes of records, and of what is decided on them."""

from streams.metrics.catalogue import Catalogue


class EventMetrics:
    """Counts of records, events, candidates and actions."""

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
            "With reason feed_stale: mend the feed. Paused: `pulpero actions resume`. Storm: see storm_held.",
        )
        self.paused = has.gauge(
            "paused",
            "trigger",
            "1 while a person has paused the trigger (`*`: all of them).",
            "`pulpero actions resume --trigger T` when the cause is gone.",
        )
        self.storm_held = has.gauge(
            "storm_held",
            "trigger",
            "Tasks of this worker that hold the trigger because it fires far more than usual.",
            "See `pulpero tail decisions` for why it fires; then `pulpero actions resume --trigger T`.",
        )
        self.examples = has.counter(
            "examples_total",
            "model",
            "Labelled examples written for the learner.",
            "None: no outcome arrives, or no customer consents to profiling.",
        )
