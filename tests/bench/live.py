"""A shop's traffic at a steady rate, and what becomes of it: who writes an event notes what it leads to, and when.

One event in ten is an order, which is thanked for at once. Every fiftieth begins a visitor: consent to marketing,
two products looked at, then silence, of which the visitor is reminded once it has lasted for `silence_ms`.
"""

import threading
import time
from datetime import UTC, datetime
from typing import cast

import orjson
from confluent_kafka import Consumer, Message, Producer

from schemas.action import Action, KafkaHeaders, from_kafka
from schemas.event import Millis, to_millis
from schemas.topics import ACTIONS
from streams.clock import wall_millis

CUSTOMERS = 5_000
DRAIN_SECONDS = 10.0
_VISIT_EVERY = 50
_PURPOSE: dict[str, object] = {"type": "granted", "purpose": "marketing", "evidence": "bench"}


class Live:
    """Writes the events, and reads the actions. `grace_ms` is how far timers stay behind the newest event."""

    def __init__(self, bootstrap: str, silence_ms: Millis, grace_ms: Millis) -> None:
        self._bootstrap = bootstrap
        self._behind = silence_ms + grace_ms
        self._grace = grace_ms
        self._appended: dict[str, Millis] = {}
        """Order → when Kafka had its record."""
        self._thanked: dict[str, Millis] = {}
        self._left: dict[str, Millis] = {}
        """Visitor → event time of the last that they did."""
        self._reminded: dict[str, tuple[Millis, Millis]] = {}
        """Visitor → when the reminder was due, and when it was read."""
        self._done = threading.Event()

    def delays(self, rate: int, warm_up: int, seconds: int) -> tuple[list[Millis], list[Millis]]:
        """After the warm-up, ms: of the actions for orders, and of the timers beyond due and grace.

        Raises RuntimeError if an order or a timer due until the writing ended led to nothing.
        """
        reader = threading.Thread(target=self._note_actions)
        reader.start()
        try:
            begin = wall_millis() + warm_up * 1000
            self._write(rate, warm_up + seconds)
            end = wall_millis()
            orders = {each for each, at in self._appended.items() if at >= begin}
            visitors = {each for each, at in self._left.items() if begin <= at + self._behind < end}
            deadline = time.monotonic() + DRAIN_SECONDS
            while not self._has_answered(orders, visitors) and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            self._done.set()
            reader.join()
        if not self._has_answered(orders, visitors):
            missing = len(orders - self._thanked.keys()), len(visitors - self._reminded.keys())
            raise RuntimeError(
                f"{missing[0]} of {len(orders)} orders and {missing[1]} of {len(visitors)} visitors "
                f"had no action within {DRAIN_SECONDS:g} s"
            )
        reminders = (self._reminded[each] for each in visitors)
        return (
            [self._thanked[each] - self._appended[each] for each in orders],
            [read - due - self._grace for due, read in reminders],
        )

    def _has_answered(self, orders: set[str], visitors: set[str]) -> bool:
        return self._thanked.keys() >= orders and self._reminded.keys() >= visitors

    def _write(self, rate: int, seconds: int) -> None:
        producer = Producer(
            {"bootstrap.servers": self._bootstrap, "partitioner": "murmur2_random", "linger.ms": 2}
        )
        began, number, last = time.monotonic(), 0, rate * seconds
        while number < last:
            due = min(last, int((time.monotonic() - began) * rate))
            for each in range(number, due):
                self._send(producer, each)
            number = due
            producer.poll(0)
            time.sleep(0.002)
        producer.flush()

    def _send(self, producer: Producer, number: int) -> None:
        visit, step = divmod(number, _VISIT_EVERY)
        if number % 10 == 0:
            self._send_order(producer, f"o{number}", str(number % CUSTOMERS))
        elif step == 1:
            self._send_event(producer, "consent", f"v{visit}", number, _PURPOSE)
        elif step <= 3:
            self._left[f"c:v{visit}"] = self._send_event(producer, "web", f"v{visit}", number, _view(number))
        else:
            self._send_event(producer, "web", str(number % CUSTOMERS), number, _view(number))

    def _send_order(self, producer: Producer, order: str, customer: str) -> None:
        items = [{"product_id": "p", "price": 3}]
        fields = {"type": "order_placed", "order_id": order, "items": items, "total": 3.0}

        def note(_: object, message: Message) -> None:
            self._appended[order] = message.timestamp()[1]

        event = _event(order, customer, datetime.now(UTC)) | fields
        producer.produce(
            "touchpoints.orders", key=f"c:{customer}", value=orjson.dumps(event), on_delivery=note
        )

    def _send_event(
        self, producer: Producer, touchpoint: str, customer: str, number: int, fields: dict[str, object]
    ) -> Millis:
        """Its event time."""
        now = datetime.now(UTC)
        event = _event(f"e{number}", customer, now) | fields
        producer.produce(f"touchpoints.{touchpoint}", key=f"c:{customer}", value=orjson.dumps(event))
        return to_millis(now)

    def _note_actions(self) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": "latency",
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 5,
            }
        )
        consumer.subscribe([ACTIONS])
        while not self._done.is_set():
            # One by one: `consume` of many waits out its time for them to be many, and that would be measured too.
            message = consumer.poll(0.1)
            if message is not None:
                self._note_action(message, wall_millis())
        consumer.close()

    def _note_action(self, message: Message, now: Millis) -> None:
        headers = cast(KafkaHeaders, message.headers() or [])
        said = from_kafka(message.value() or b"", headers)
        if not isinstance(said, Action):
            return
        if said.trigger == "abandonment.browse":
            self._reminded.setdefault(said.customer_key, (to_millis(said.valid_from), now))
        else:
            self._thanked.setdefault(said.business_key.id, now)


def _event(event_id: str, customer: str, at: datetime) -> dict[str, object]:
    return {
        "event_id": event_id,
        "event_time": at.isoformat(),
        "customer_id": customer,
        "source": "bench",
    }


def _view(number: int) -> dict[str, object]:
    return {"type": "product_viewed", "product": {"product_id": f"p{number % 50}"}}
