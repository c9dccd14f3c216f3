"""What flows: a simulated shop without end, its time lapsed to the wall's, its customers always the same.

Whoever leaves the shop for good comes back as the next one who takes that place: a customer's life goes on. Beside
it what a seeded hand throws in, and the messaging services' word of what became of each action.
"""

import threading
from collections import Counter, deque
from itertools import count
from random import Random
from typing import Any, NamedTuple

import orjson
from confluent_kafka import Producer

from schemas.event import Millis
from streams.clock import wall_millis
from streams.engine.partitions import partition_of
from streams.local.replayed import Replayed, iso, millis
from streams.local.simulator.shop import Shop
from tests.soak.lapse import DAY

EVENTS_A_DAY = 4.0
"""Of one customer, in the shop's time, what is told of the actions included."""
OPENED: Millis = 1_700_000_000_000
BURST = 1_000
TOLD = 0.5
"""Share of the actions of which the messaging services tell."""


class Sent(NamedTuple):
    """A record, ready to be written."""

    topic: str
    key: bytes
    value: bytes


class Lapse:
    """The shop's time as the wall's: it opens at `opens`, wall ms, and its day lasts `day` ms."""

    def __init__(self, opens: Millis, day: Millis) -> None:
        self._opens = opens
        self._day = day

    def wall(self, at: Millis) -> Millis:
        """The moment of the wall's time."""
        return self._opens + (at - OPENED) * self._day // DAY

    def record(self, event: Replayed) -> Sent:
        """The event as it is sent. The place among the shop's customers is who the customer is."""
        place = event.key.rsplit("-", 1)[0].removeprefix("c:sim-")
        payload = event.payload | {"event_time": iso(self.wall(event.at)), "customer_id": place}
        if (promised := payload.get("promised_at")) is not None:
            payload["promised_at"] = iso(self.wall(millis(promised)))
        return Sent(f"touchpoints.{event.touchpoint}", f"c:{place}".encode(), orjson.dumps(payload))


class Flow(threading.Thread):
    """Sends the shop's events when they happen, until `stop`."""

    def __init__(self, bootstrap: str, partitions: int, seed: int, customers: int, day: Millis) -> None:
        super().__init__(name="flow", daemon=True)
        self.sent = 0
        self.provoked: Counter[str] = Counter()
        """Dead letters to come, by reason."""
        self._failure: Exception | None = None
        self._partitions = partitions
        self._rng = Random(f"{seed}:thrown in")
        self._shop = Shop(seed, OPENED, customers)
        self._day = day
        self._producer = producer(bootstrap)
        self._newest: deque[Sent] = deque(maxlen=BURST)
        self._thrown: deque[Sent] = deque()
        self._numbers = count(1)
        self._done = threading.Event()

    def run(self) -> None:
        """Send each event at its moment; what lags behind is sent at once."""
        try:
            self._flow()
        except Exception as failed:
            self._failure = failed
        finally:
            self._producer.flush(30)

    def check(self) -> None:
        """Raises what it ended with."""
        if self._failure is not None:
            raise self._failure

    def cease(self) -> None:
        """Send no more."""
        self._done.set()
        self.join()

    def stop(self) -> None:
        """Cease, and wait until all is written. Raises what it ended with before."""
        self.cease()
        self.check()

    def duplicate(self) -> None:
        """Send the newest BURST events again."""
        self._thrown.extend(list(self._newest))

    def tell(self, action_id: str, customer_key: str) -> None:
        """What became of an action: seeded, and often nothing."""
        drawn = Random(action_id).random()
        if drawn >= TOLD:
            return
        kind = "clicked" if drawn < TOLD / 8 else "opened" if drawn < TOLD / 3 else "sent"
        about = {"action_id": action_id, "channel": "email"}
        told = self._event(f"told-{action_id}", customer_key.removeprefix("c:"), kind, **about)
        self._thrown.append(Sent("touchpoints.messages", customer_key.encode(), orjson.dumps(told)))

    def throw_hostile(self) -> None:
        """Some of everything that must not be taken. Each makes one dead letter, and touches nobody."""
        for reason, key, value in self._hostile():
            self.provoked[reason] += 1
            partition = partition_of(key or b"", self._partitions)
            if reason == "wrong_partition":
                partition = (partition + 1) % self._partitions
            self._producer.produce("touchpoints.web", key=key, value=value, partition=partition)

    def _hostile(self) -> list[tuple[str, bytes | None, bytes | None]]:
        """(reason, key, value), in a seeded order."""
        customer = f"hostile-{next(self._numbers)}"
        key, good = f"c:{customer}".encode(), self._event(f"h-{customer}", customer, "page_viewed", path="/")
        raw = orjson.dumps(good)
        bad: list[tuple[str, bytes | None, bytes | None]] = [
            ("truncated_json", key, raw[:-9]),
            ("malformed_json", key, b'{"event_id": nonsense}'),
            ("malformed_json", key, self._rng.randbytes(500).replace(b"{", b"}")),
            ("not_an_object", key, b"[1, 2]"),
            ("missing_field", key, orjson.dumps({name: good[name] for name in good if name != "source"})),
            ("wrong_type", key, orjson.dumps({**good, "path": 7})),
            ("unknown_type", key, orjson.dumps({**good, "type": "never_heard_of"})),
            ("null_value", key, None),
            ("bad_key", b"\xff\xfe", raw),
            ("key_mismatch", b"c:somebody-else", raw),
            ("time_in_future", key, orjson.dumps({**good, "event_time": "2150-01-01T00:00:00Z"})),
            ("too_large", key, orjson.dumps({**good, "path": "x" * 300_000})),
            ("wrong_partition", key, raw),
        ]
        self._rng.shuffle(bad)
        return bad

    def _event(self, event_id: str, customer: str, kind: str, **fields: Any) -> dict[str, Any]:
        return {
            "event_id": event_id,
            "type": kind,
            "event_time": iso(wall_millis()),
            "customer_id": customer,
            "source": "soak",
            **fields,
        }

    def _flow(self) -> None:
        lapse = Lapse(wall_millis(), self._day)
        for event in self._shop.events():
            while lapse.wall(event.at) > wall_millis():
                if self._done.wait(0.002):
                    return
                self._send_thrown()
            sent = lapse.record(event)
            self._newest.append(sent)
            self._send(sent)
            if self._done.is_set():
                return

    def _send_thrown(self) -> None:
        while self._thrown:
            self._send(self._thrown.popleft())
        self._producer.poll(0)

    def _send(self, sent: Sent) -> None:
        put(self._producer, sent)
        self.sent += 1


def producer(bootstrap: str) -> Producer:
    """Partitions as the contract says."""
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "linger.ms": 5,
            "log_level": 0,
        }
    )


def put(producer: Producer, sent: Sent) -> None:
    """Into the producer's queue, once there is room."""
    while True:
        try:
            producer.produce(sent.topic, key=sent.key, value=sent.value)
            return
        except BufferError:
            producer.poll(0.1)


def backlog(seed: int, events: int, customers: int, day: Millis) -> list[Sent]:
    """So many of the shop's first events; the last of them happen about now."""
    drawn = [event for event, _ in zip(Shop(seed, OPENED, customers).events(), range(events), strict=False)]
    lapse = Lapse(wall_millis() - (drawn[-1].at - OPENED) * day // DAY, day)
    return [lapse.record(event) for event in drawn]


def customers_for(rate: float, day: Millis) -> int:
    """How many customers make so many events a second of the wall's time."""
    return max(20, round(rate * day / 1000 / EVENTS_A_DAY))
