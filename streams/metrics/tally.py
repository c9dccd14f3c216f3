"""What one batch counted, in plain ints: the hot path does not speak to Prometheus."""

from collections import defaultdict
from collections.abc import Iterable

from prometheus_client import Counter

from schemas.action import Action
from schemas.event import Millis
from schemas.example import Example
from streams.decisions.effects import Effects
from streams.metrics.worker import Metrics


class FeedCounts:
    """The records of one touchpoint and source. `newest` is the append time (ms) of the last one that was taken."""

    __slots__ = ("applied", "consumed", "duplicate", "late", "newest")

    def __init__(self) -> None:
        self.consumed = self.applied = self.duplicate = self.late = 0
        self.newest: Millis | None = None


class Tally:
    """Counts of one batch in plain ints, flushed after its commit; a failed batch's are thrown away.

    Keys are label values in the metric's order, the source as the event gave it. `acted_on` holds one append time
    (ms) an action, `timer_delays` one delay (ms) a timer fired.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.feeds: defaultdict[tuple[str, str | None], FeedCounts] = defaultdict(FeedCounts)
        self.dead: defaultdict[tuple[str, str | None, str], int] = defaultdict(int)
        self.unknown_fields: defaultdict[str | None, int] = defaultdict(int)
        self.actions: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.cancelled_actions: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.suppressed: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.deferred: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.examples: defaultdict[str, int] = defaultdict(int)
        self.acted_on: list[Millis] = []
        self.timer_delays: list[Millis] = []
        self._bound: dict[tuple[Counter, tuple[str, ...]], Counter] = {}

    def effects(self, effects: Effects) -> None:
        """Count what a batch says."""
        for message in effects.actions:
            if isinstance(message, Action):
                self.actions[message.trigger, message.channel] += 1
            else:
                self.cancelled_actions[message.trigger, message.reason] += 1
        for decision in effects.decisions:
            if decision.outcome == "suppressed":
                self.suppressed[decision.trigger, decision.reason_code] += 1
            elif decision.outcome == "deferred":
                self.deferred[decision.trigger, decision.reason_code] += 1
        for example in effects.examples:
            if isinstance(example, Example):
                self.examples[example.model] += 1

    def flush(self, visible_at: Millis) -> None:
        """Add the counts to the metrics and start anew. `visible_at` is when the commit came back, in ms."""
        metrics, source = self._metrics, self._metrics.source
        for (touchpoint, name), counts in self.feeds.items():
            feed = touchpoint, source(name)
            for counter, n in (
                (metrics.consumed, counts.consumed),
                (metrics.applied, counts.applied),
                (metrics.duplicate, counts.duplicate),
                (metrics.late, counts.late),
            ):
                if n:
                    self._add(counter, ((feed, n),))
            if counts.newest is not None:
                metrics.fresh(*feed, counts.newest)
        self._add(metrics.dead, (((t, source(s), reason), n) for (t, s, reason), n in self.dead.items()))
        self._add(metrics.unknown_fields, (((source(s),), n) for s, n in self.unknown_fields.items()))
        self._add(metrics.examples, (((model,), n) for model, n in self.examples.items()))
        for counter, by_labels in (
            (metrics.actions, self.actions),
            (metrics.cancelled_actions, self.cancelled_actions),
            (metrics.suppressed, self.suppressed),
            (metrics.deferred, self.deferred),
        ):
            self._add(counter, by_labels.items())
        for appended_at in self.acted_on:
            metrics.event_to_action_seconds.observe(max(0, visible_at - appended_at) / 1000)
        for delay in self.timer_delays:
            metrics.timer_delay_seconds.observe(delay / 1000)
        self.discard()

    def discard(self) -> None:
        """Forget what was counted since the last flush."""
        self.feeds.clear()
        for by_labels in (self.actions, self.cancelled_actions, self.suppressed, self.deferred):
            by_labels.clear()
        self.dead.clear()
        self.unknown_fields.clear()
        self.examples.clear()
        self.acted_on.clear()
        self.timer_delays.clear()

    def _add(self, counter: Counter, counts: Iterable[tuple[tuple[str, ...], int]]) -> None:
        for labels, n in counts:
            child = self._bound.get((counter, labels))
            if child is None:
                child = self._bound[counter, labels] = counter.labels(*labels)
            child.inc(n)
