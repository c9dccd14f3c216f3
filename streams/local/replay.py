"""Replay: events into Kafka at a chosen speed, with event time told in-band so that timers fire.

The record's timestamp is when it was written; event time stands in the payload. With `time: events` a
`clock.advanced` record goes to every partition of every touchpoint topic: at intervals, while waiting for the
next event too, and at the end. A live deployment reads the wall clock, so there none is sent.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Event as Signal
from typing import Any

import orjson
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.clock import encode_clock
from schemas.event import Millis
from schemas.touchpoints import load
from schemas.touchpoints.touchpoint import Touchpoint
from streams.local.replayed import Replayed
from streams.settings import Settings

SETTLE_MS: Millis = 72 * 3_600_000
"""How far past the last event the clock goes at the end: the longest that a left cart waits."""

_TICK_SECONDS = 0.1
_TICK_EVENT_MS: Millis = 1_000
_SENT = frozenset({"sent_at", "sentAt"})
"""When an event was sent says nothing of the producer's clock once it is replayed: it would be corrected to now."""
_ANSWER_SECONDS = 10.0
_FLUSH_SECONDS = 30.0


class ReplayFailed(RuntimeError):
    """The replay cannot go on; the message says why and what to do."""


@dataclass(slots=True)
class Progress:
    """How far a replay is. `at` is the event time reached, None before the first event."""

    events: int = 0
    clock_records: int = 0
    at: Millis | None = None
    seconds: float = 0.0
    """Wall time since the start."""


def replay(
    events: Iterable[Replayed],
    settings: Settings,
    *,
    speed: float | None,
    stop: Signal,
    on_progress: Callable[[Progress], None] = lambda _: None,
    settle_ms: Millis = SETTLE_MS,
) -> Progress:
    """Send `events`, `speed` seconds of event time a second, or as fast as it goes for None.

    `on_progress` is called about every 100 ms. When `stop` is set the replay ends early: what was sent is
    delivered, and event time does not settle. Raises ReplayFailed.
    """
    out, progress = _Out(settings), Progress()
    pace = _Pace(speed, out, progress, on_progress)
    for event in events:
        if not pace.reach(event.at, stop):
            break
        out.send(event)
        progress.events += 1
        progress.at = max(progress.at or event.at, event.at)
    else:
        if progress.at is not None:
            out.tell_time(progress.at + settle_ms, progress)
    out.close()
    pace.report()
    return progress


class _Pace:
    """Event time against wall time."""

    def __init__(
        self,
        speed: float | None,
        out: "_Out",
        progress: Progress,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._speed = speed
        self._out = out
        self._progress = progress
        self._on_progress = on_progress
        self._started = self._pulsed = time.monotonic()
        self._first: Millis | None = None
        self._told: Millis = 0

    def reach(self, at: Millis, stop: Signal) -> bool:
        """Wait until event time `at` is due, with the clock going on meanwhile. False if stopped."""
        if self._first is None:
            self._first = at
        while not stop.is_set():
            wait = self._due_in(at, self._first)
            # Another event of the same moment may follow, so the clock stays before it.
            self._pulse(at - 1 - int(max(0.0, wait) * 1000 * (self._speed or 0.0)))
            if wait <= 0:
                return True
            stop.wait(min(wait, _TICK_SECONDS))
        return False

    def report(self) -> None:
        """Say how far it is."""
        self._progress.seconds = time.monotonic() - self._started
        self._on_progress(self._progress)

    def _due_in(self, at: Millis, first: Millis) -> float:
        if self._speed is None:
            return 0.0
        return self._started + (at - first) / 1000 / self._speed - time.monotonic()

    def _pulse(self, at: Millis) -> None:
        now = time.monotonic()
        if now - self._pulsed < _TICK_SECONDS:
            return
        self._pulsed = now
        self._progress.at = max(self._progress.at or at, at)
        if at - self._told >= _TICK_EVENT_MS:
            self._told = at
            self._out.tell_time(at, self._progress)
        self.report()


class _Out:
    """The producer, and the clock's records."""

    def __init__(self, settings: Settings) -> None:
        self._topics = {each.name: each.topic for each in load(settings.touchpoints)}
        self._tells_time = settings.time == "events"
        self._failure: KafkaError | None = None
        self._producer = Producer(
            {
                "bootstrap.servers": settings.bootstrap,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 5,
                "compression.type": "lz4",
                "queue.buffering.max.messages": 200_000,
                "log_level": 0,
            }
        )
        self._partitions = _partitions(self._producer, load(settings.touchpoints), settings.bootstrap)

    def send(self, event: Replayed) -> None:
        topic = self._topics.get(event.touchpoint)
        if topic is None:
            raise ReplayFailed(
                f"there is no touchpoint {event.touchpoint!r}; there are {', '.join(self._topics)}"
            )
        payload = event.payload
        if not _SENT.isdisjoint(payload):
            payload = {name: value for name, value in payload.items() if name not in _SENT}
        self._produce(topic, key=event.key.encode(), value=orjson.dumps(payload))
        self._producer.poll(0)

    def tell_time(self, at: Millis, progress: Progress) -> None:
        """Tell every partition that event time is `at`."""
        if not self._tells_time:
            return
        value, headers = encode_clock(at)
        for topic, count in self._partitions.items():
            for partition in range(count):
                self._produce(topic, value=value, headers=headers, partition=partition)
            progress.clock_records += count

    def close(self) -> None:
        """Deliver what is queued."""
        left = self._producer.flush(_FLUSH_SECONDS)
        self._raise_failure()
        if left:
            raise ReplayFailed(f"{left} records were not delivered within {_FLUSH_SECONDS:g} s")

    def _produce(self, topic: str, **record: Any) -> None:
        self._raise_failure()
        while True:
            try:
                self._producer.produce(topic, on_delivery=self._delivered, **record)
            except BufferError:
                self._producer.poll(_TICK_SECONDS)
                self._raise_failure()
            else:
                return

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failure = error

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise ReplayFailed(f"a record was not delivered: {self._failure.str()}")


def _partitions(producer: Producer, touchpoints: tuple[Touchpoint, ...], bootstrap: str) -> dict[str, int]:
    """Partition count by touchpoint topic. Raises ReplayFailed if Kafka is silent or a topic is missing."""
    try:
        known = producer.list_topics(timeout=_ANSWER_SECONDS).topics
    except KafkaException as error:
        raise ReplayFailed(f"no Kafka answers at {bootstrap}; `pulpero up` starts one") from error
    missing = [each.topic for each in touchpoints if each.topic not in known]
    if missing:
        raise ReplayFailed(f"no topic {', '.join(missing)}: `pulpero topics create` makes them")
    return {each.topic: len(known[each.topic].partitions) for each in touchpoints}
