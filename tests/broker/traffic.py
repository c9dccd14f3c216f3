"""Events whose outcome is known: pieces that lie in carts, and orders that are thanked for, each exactly once."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from schemas.customer import unpack
from schemas.topics import ACTIONS
from tests.broker.events import SECOND, START, added, key_of, placed
from tests.broker.reading import read, rows
from tests.broker.workers import Deployment

CUSTOMERS = tuple(f"v{number}" for number in range(40))
"""Several in each of a few tasks."""

_ORDERS_EVERY = 4
_PACE_SECONDS = 0.01


class Traffic:
    """What was sent to a deployment, in event time's order; `assert_taken_once` compares it with what came of it."""

    def __init__(self, shop: Deployment) -> None:
        self._shop = shop
        self._sent = 0
        self._added: Counter[str] = Counter()
        self._ordered: Counter[str] = Counter()

    def send(self, events: int = 2 * len(CUSTOMERS)) -> None:
        """So many more, to one customer after the other."""
        for _ in range(events):
            self._send_one()
        self._shop.producer.flush()

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """More and more, from a thread of its own, until the block ends."""
        ended = threading.Event()

        def flow() -> None:
            while not ended.wait(_PACE_SECONDS):
                self._send_one()

        thread = threading.Thread(target=flow)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def assert_taken_once(self) -> None:
        """Every piece lies in its cart, and every order was thanked for, once."""
        packed = rows(read(self._shop.bootstrap, self._shop.changelog))
        carts = {
            row.identity.customer_id: row.carts[0].items[0].quantity
            for row in map(unpack, packed.values())
            if row.carts
        }
        assert carts == self._added, _unlike(carts, self._added)
        thanked = Counter(record.json["business_key"]["id"] for record in read(self._shop.bootstrap, ACTIONS))
        assert thanked == self._ordered, _unlike(thanked, self._ordered)
        assert all(worker.metric("duplicate_total") == 0 for worker in self._shop.workers)

    def _send_one(self) -> None:
        self._sent += 1
        name, at = f"e{self._sent}", START + self._sent * SECOND
        customer = CUSTOMERS[self._sent % len(CUSTOMERS)]
        if self._sent % _ORDERS_EVERY:
            self._added[customer] += 1
            self._shop.send("web", key_of(customer), added(name, customer, at))
        else:
            self._ordered[f"o-{name}"] += 1
            self._shop.send("orders", key_of(f"buyer-{customer}"), placed(name, f"buyer-{customer}", at))


def _unlike(found: Mapping[Any, float], due: Mapping[Any, int]) -> str:
    """What was found and what was due, where they differ."""
    names = sorted(name for name in found.keys() | due.keys() if found.get(name, 0) != due.get(name, 0))
    return "; ".join(f"{name}: {found.get(name, 0):g}, due {due.get(name, 0)}" for name in names)
