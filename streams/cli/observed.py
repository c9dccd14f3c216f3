"""What a screen shows of a running application: its actions, decisions and dead letters, and its metrics."""

import threading
import urllib.request
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import nlargest
from typing import cast
from urllib.error import URLError

from confluent_kafka import Consumer, Message, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from schemas.action import Action, from_kafka
from schemas.decision import Decision
from schemas.topics import ACTIONS, DEAD_LETTERS, DECISIONS
from streams.settings import Settings

NEWEST = 60
"""Actions kept of each kind."""

SIMULATED = "sim-"
"""What the ids of the demo's simulated customers begin with."""


@dataclass
class Observed:
    """Counts since the beginning, and the newest actions."""

    actions_by_trigger: Counter[str] = field(default_factory=Counter)
    cancelled: int = 0
    suppressions_by_reason: Counter[str] = field(default_factory=Counter)
    dead_letters_by_reason: Counter[str] = field(default_factory=Counter)
    newest: dict[tuple[bool, str], deque[tuple[int, Action]]] = field(default_factory=dict)
    """Numbered in the order in which they were seen, by kind: is the customer real, and the trigger's family."""

    @property
    def actions(self) -> int:
        """All of them."""
        return self.actions_by_trigger.total()

    def note(self, action: Action) -> None:
        """One more action."""
        self.actions_by_trigger[action.trigger] += 1
        kind = (not is_simulated(action.customer_key), action.trigger.partition(".")[0])
        self.newest.setdefault(kind, deque(maxlen=NEWEST)).append((self.actions, action))

    def pick(self, count: int) -> list[Action]:
        """Up to `count` actions, newest first: of each kind the newest, then the newest of all.

        So what is rare (a real customer, a lapse) is not crowded out by what is common.
        """
        of_each = sorted((kept[-1] for kept in self.newest.values()), key=_number, reverse=True)[:count]
        others = (each for kept in self.newest.values() for each in list(kept)[:-1])
        fill = nlargest(count - len(of_each), others, key=_number)
        return [action for _, action in sorted([*of_each, *fill], key=_number, reverse=True)]

    def copy(self) -> "Observed":
        """A copy that stays as it is."""
        return Observed(
            self.actions_by_trigger.copy(),
            self.cancelled,
            self.suppressions_by_reason.copy(),
            self.dead_letters_by_reason.copy(),
            {kind: kept.copy() for kind, kept in self.newest.items()},
        )


def is_simulated(customer_key: str) -> bool:
    """Whether the demo's simulator made this customer up."""
    return customer_key.partition(":")[2].startswith(SIMULATED)


def _number(seen: tuple[int, Action]) -> int:
    return seen[0]


class Observer(threading.Thread):
    """Reads the output topics, committed records only, until `stop`."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="observer", daemon=True)
        self._seen = Observed()
        self._settings = settings
        self._done = threading.Event()
        self._lock = threading.Lock()

    def look(self) -> Observed:
        """What was seen so far: a copy, which stays as it is."""
        with self._lock:
            return self._seen.copy()

    def stop(self) -> None:
        """Cease to read."""
        self._done.set()
        self.join()

    def run(self) -> None:
        """Read from the beginning."""
        consumer = Consumer(
            {
                "bootstrap.servers": self._settings.bootstrap,
                "group.id": "not-used",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "log_level": 0,
            }
        )
        consumer.assign(
            [
                TopicPartition(topic, number, 0)
                for topic in (ACTIONS, DECISIONS, DEAD_LETTERS)
                for number in range(self._settings.partitions)
            ]
        )
        while not self._done.is_set():
            for message in consumer.consume(500, 0.2):
                if message.error() is None:
                    with self._lock:
                        self._take(message)
        consumer.close()

    def _take(self, message: Message) -> None:
        value, seen = message.value() or b"", self._seen
        if message.topic() == ACTIONS:
            said = from_kafka(value, _headers(message))
            if isinstance(said, Action):
                seen.note(said)
            else:
                seen.cancelled += 1
        elif message.topic() == DECISIONS:
            decision = Decision.from_json(value)
            if decision.outcome == "suppressed":
                seen.suppressions_by_reason[decision.reason_code] += 1
        else:
            seen.dead_letters_by_reason[dict(_headers(message))["reason"].decode()] += 1


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of a histogram, in ms, interpolated within its buckets; None while it is empty."""

    p50: float | None
    p99: float | None
    count: int


@dataclass(frozen=True, slots=True)
class Scrape:
    """One look at a worker's /metrics."""

    events: int
    latency: Quantiles
    timer_delay: Quantiles
    paused: tuple[str, ...] = ()
    """The triggers that a person holds back; `*` for all."""


def scrape(port: int) -> Scrape | None:
    """Read a worker's metrics on this machine; None if it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2.0) as answer:
            text = answer.read().decode()
    except (URLError, OSError):
        return None
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    buckets: dict[str, list[tuple[float, float]]] = {}
    events = 0.0
    paused = []
    for sample in samples:
        if sample.name == "pulpero_consumed_total":
            events += sample.value
        elif sample.name == "pulpero_paused" and sample.value:
            paused.append(sample.labels["trigger"])
        elif sample.name.endswith("_bucket"):
            buckets.setdefault(sample.name, []).append((float(sample.labels["le"]), sample.value))
    return Scrape(
        int(events),
        quantiles(buckets.get("pulpero_event_to_action_seconds_bucket", ())),
        quantiles(buckets.get("pulpero_timer_delay_seconds_bucket", ())),
        tuple(sorted(paused)),
    )


def quantiles(buckets: Iterable[tuple[float, float]]) -> Quantiles:
    """Of cumulative buckets (upper bound in seconds, count), as PromQL's histogram_quantile interpolates."""
    ordered = sorted(buckets)
    total = ordered[-1][1] if ordered else 0.0
    return Quantiles(_quantile(ordered, 0.5, total), _quantile(ordered, 0.99, total), int(total))


def _quantile(buckets: list[tuple[float, float]], share: float, total: float) -> float | None:
    if not total:
        return None
    below, lower = 0.0, 0.0
    for bound, count in buckets:
        if count >= share * total:
            if bound == float("inf"):
                return lower * 1000
            inside = (share * total - below) / (count - below)
            return (lower + (bound - lower) * inside) * 1000
        below, lower = count, bound
    return None


def _headers(message: Message) -> list[tuple[str, bytes]]:
    headers = cast("list[tuple[str, bytes]] | None", message.headers())
    return headers or []
