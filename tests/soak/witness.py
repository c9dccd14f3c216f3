"""What a reader of committed records sees while it goes on: rows, progress, actions and dead letters."""

import threading
from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from statistics import fmean

from confluent_kafka import Consumer, Message, TopicPartition

from schemas.customer import Customer, unpack
from schemas.topics import ACTIONS, DEAD_LETTERS, EXAMPLES, MODELS
from streams.engine.task_row import TASK_ROW_KEY, unpack_task_row

Tell = Callable[[str, str], None]
"""Is told of each action: its id, and whose it is."""


class Witness(threading.Thread):
    """Follows a deployment's outputs from their beginning, until `stop`."""

    def __init__(self, bootstrap: str, changelog: str, partitions: int, tell: Tell) -> None:
        super().__init__(name="witness", daemon=True)
        self.actions = 0
        self.doubled = 0
        """Actions, or their cancellations, whose id was seen before."""
        self.letters: Counter[str] = Counter()
        self.examples = 0
        self.models = 0
        self.offsets: dict[tuple[str, int], int] = {}
        """(Topic, task) → the next offset that the task will take."""
        self._failure: Exception | None = None
        self._rows: dict[bytes, bytes] = {}
        self._ids: set[int] = set()
        self._changelog = changelog
        self._tell = tell
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "witness",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "log_level": 0,
            }
        )
        places = [
            (topic, number)
            for topic in (changelog, ACTIONS, DEAD_LETTERS, EXAMPLES)
            for number in range(partitions)
        ]
        self._consumer.assign([TopicPartition(*place, 0) for place in (*places, (MODELS, 0))])

    def run(self) -> None:
        """Read on."""
        try:
            while not self._done.is_set():
                for message in self._consumer.consume(2_000, 0.2):
                    if message.error() is None:
                        self._take(message)
        except Exception as failed:
            self._failure = failed
        finally:
            self._consumer.close()

    def cease(self) -> None:
        """Read no more."""
        self._done.set()
        self.join()

    def stop(self) -> None:
        """Cease. Raises what it ended with before."""
        self.cease()
        if self._failure is not None:
            raise self._failure

    def rows(self) -> dict[str, float]:
        """How many rows there are, and of what size on the average: in bytes, and the lists that grow."""
        with self._lock:
            packed = list(self._rows.values())
        if not packed:
            return {}
        rows = list(map(unpack, packed))
        sizes = {name: fmean(map(size, rows)) for name, size in _PARTS.items()}
        return {"count": len(rows), "bytes": fmean(map(len, packed)), **sizes}

    def _take(self, message: Message) -> None:
        topic = message.topic()
        if topic == self._changelog:
            self._take_row(message.partition() or 0, message.key() or b"", message.value())
        elif topic == ACTIONS:
            headers = dict(message.headers() or [])
            self._take_action(_text(headers["ce_id"]), (message.key() or b"").decode())
        elif topic == DEAD_LETTERS:
            self.letters[_text(dict(message.headers() or [])["reason"])] += 1
        elif topic == MODELS:
            self.models += 1
        else:
            self.examples += 1

    def _take_row(self, task: int, key: bytes, value: bytes | None) -> None:
        if key == TASK_ROW_KEY:
            offsets = unpack_task_row(value or b"").offsets
            self.offsets |= {(topic, task): offset for topic, offset in offsets.items()}
            return
        with self._lock:
            if value is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = value

    def _take_action(self, action_id: str, customer_key: str) -> None:
        hashed = int.from_bytes(blake2b(action_id.encode(), digest_size=8).digest())
        self.actions += 1
        self.doubled += hashed in self._ids
        self._ids.add(hashed)
        if not action_id.endswith("-cancelled"):
            self._tell(action_id, customer_key)


def _text(value: str | bytes | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""


_PARTS: dict[str, Callable[[Customer], int]] = {
    "timers": lambda row: len(row.timers),
    "seen": lambda row: sum(map(len, row.seen.values())),
    "counts": lambda row: sum(map(len, row.counts.values())),
    "contacts": lambda row: len(row.contacts),
    "orders": lambda row: len(row.orders),
    "items": lambda row: sum(len(order.items) for order in row.orders),
    "told": lambda row: sum(len(item.told) for order in row.orders for item in order.items),
    "carts": lambda row: len(row.carts),
    "pending": lambda row: len(row.pending),
    "held": lambda row: len(row.held),
}
"""What grows in a row, each with a bound of its own."""
