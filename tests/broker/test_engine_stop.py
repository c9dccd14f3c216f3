"""A clean stop is quick, loses nothing and repeats nothing."""

import threading
import time
from collections import Counter
from functools import partial

import pytest

from schemas.customer import unpack
from schemas.topics import ACTIONS
from tests.broker.events import SECOND, START, added, key_of, placed
from tests.broker.reading import read, rows
from tests.broker.workers import Deployment, Worker, await_true, deployed

pytestmark = pytest.mark.broker

CUSTOMERS = [f"v{number}" for number in range(30)]
STOP_SECONDS = 5.0


class Flow:
    """Sends events from a thread of its own until `end`: into carts, and now and then an order."""

    def __init__(self, shop: Deployment) -> None:
        self.added: Counter[str] = Counter()
        self.ordered: list[str] = []
        self._shop, self._ended = shop, threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _send(self) -> None:
        number = 0
        while not self._ended.wait(0.01):
            number += 1
            customer, at = CUSTOMERS[number % len(CUSTOMERS)], START + number * SECOND
            if number % 7:
                self.added[customer] += 1
                self._shop.send("web", key_of(customer), added(f"e{number}", customer, at))
            else:
                self.ordered.append(f"o-e{number}")
                buyer = f"buyer-{customer}"
                self._shop.send("orders", key_of(buyer), placed(f"e{number}", buyer, at))


def test_three_clean_stops_under_load_lose_and_repeat_nothing(kafka: str) -> None:
    with deployed(kafka, time="events", idle_ms=20) as shop:
        flow = Flow(shop)
        try:
            for _ in range(3):
                worker = shop.start().await_ready()
                await_true("some work done", partial(_has_worked, worker))
                assert worker.metric("duplicate_total") == 0
                began = time.monotonic()
                assert worker.stop() == 0, worker.said
                assert time.monotonic() - began < STOP_SECONDS, worker.said
        finally:
            flow.end()
        last = shop.start().await_ready()
        shop.await_taken()
        assert last.metric("duplicate_total") == 0
        assert last.metric("dropped_records_total") == 0

        carts = {
            row.identity.customer_id: row.carts[0].items[0].quantity
            for row in map(unpack, rows(read(kafka, shop.changelog)).values())
            if row.carts
        }
        assert carts == flow.added
        thanked = Counter(record.json["business_key"]["id"] for record in read(kafka, ACTIONS))
        assert thanked == Counter(flow.ordered)


def _has_worked(worker: Worker) -> bool:
    return worker.metric("applied_total") > 100
