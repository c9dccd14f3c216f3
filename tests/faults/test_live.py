"""In a live deployment the wall clock fires timers: each once and for its own moment, whoever is killed meanwhile."""

import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from schemas.action import TYPE_ACTION, moment
from schemas.topics import ACTIONS, JOURNAL
from streams.clock import wall_millis
from tests.broker.events import added, event, key_of, placed
from tests.broker.reading import Reader, Record, read
from tests.broker.workers import Deployment, Worker, await_true, deployed
from tests.faults.replaying import assert_replays

pytestmark = [pytest.mark.broker, pytest.mark.faults]

POLICY = Path(__file__).with_name("live.yaml")
EAGER = "tests.faults.eager"
CART_AFTER, GATHER = 12_000, 3_000
ORDERED_AFTER_ALL = [f"ordered{number}" for number in range(15)]
LEFT_EARLY = [f"early{number}" for number in range(15)]
LEFT_LATE = [f"late{number}" for number in range(15)]
BUSTLE, BUSTLES = "bustle", 2
MARKETING = {"purpose": "marketing", "evidence": "form 1"}


class Due(NamedTuple):
    """What must be said to whom, valid from when (ms)."""

    trigger: str
    customer: str
    valid_from: int


def test_timers_fire_by_the_wall_clock_once_and_no_order_is_overlooked_in_a_backlog(
    kafka: str, seed: int
) -> None:
    rng = Random(f"live:{seed}")
    with deployed(kafka, time="live", session_timeout_ms=3_000, policy=POLICY, agents=[EAGER]) as shop:
        worker = shop.start().await_ready()
        due: list[Due] = []
        due += _leave_carts(shop, LEFT_EARLY)
        fill_by = [each.valid_from for each in _leave_carts(shop, ORDERED_AFTER_ALL)]
        shop.await_taken()
        worker.kill()
        assert wall_millis() < min(fill_by), "this machine is too slow for the test's silences"

        # While nobody runs, these order; their silence ends before somebody looks again.
        due += _order(shop, ORDERED_AFTER_ALL)
        await_true("the end of the silences", lambda: wall_millis() > max(fill_by) + 1_000)
        worker = shop.start().await_ready()
        due += _leave_carts(shop, LEFT_LATE)
        due += _ship(shop, ORDERED_AFTER_ALL)
        shop.producer.flush()
        for _ in range(2):
            time.sleep(rng.uniform(0.0, 1.5))  # the moment is part of the schedule
            worker.kill()
            worker = _replaced(shop, rng)

        worker.await_ready()
        _bustle(shop, rng)
        actions = Reader(kafka, ACTIONS)
        await_true("all actions", lambda: len(_expected(actions.read())) >= len(due), 60)
        shop.await_taken()
        assert worker.stop() == 0, worker.said
        said = _expected(read(kafka, ACTIONS))
        journal = read(kafka, JOURNAL)
        assert_replays(shop)

    assert {dict(record.headers)["ce_type"].decode() for record in said} == {TYPE_ACTION}
    assert Counter(map(_said, said)) == Counter(due)
    assert all(_said(record).valid_from <= record.appended_at for record in said)
    for fact in ("timer_clock", "order", "refused"):
        assert any(fact in record.json for record in journal)


def _replaced(shop: Deployment, rng: Random) -> Worker:
    """The next worker, as far as a seeded coin wants it: open, or still opening."""
    worker = shop.start()
    return worker.await_ready() if rng.random() < 0.7 else worker


def _bustle(shop: Deployment, rng: Random) -> None:
    """What makes the order of taking matter, and the clock with it: only the journal knows how it went.

    One record is too far ahead of the wall clock. A cart shows late and is empty again with the next record: its
    silence was over by the wall clock, though not by what events had told, so it was left in between. And a
    customer's act shows after a later one.
    """
    for number in range(BUSTLES):
        for each in range(4):
            customer = f"{BUSTLE}{number}-{each}"
            at = wall_millis() - 20_000
            shop.send(
                "consent", key_of(customer), event(f"c-{customer}", customer, "granted", at, **MARKETING)
            )
        shop.producer.flush()
        time.sleep(rng.uniform(3.2, 3.6))  # events say nothing, the wall goes on
        for each in range(4):
            customer, at = f"{BUSTLE}{number}-{each}", wall_millis() - 1_900 - CART_AFTER
            shop.send("web", key_of(customer), added(f"a-{customer}", customer, at))
            gone = added(f"g-{customer}", customer, at + 1) | {"type": "product_removed"}
            shop.send("web", key_of(customer), gone)
        customer, at = f"{BUSTLE}{number}", wall_millis()
        shop.send("orders", key_of(customer), placed(f"o-{customer}", customer, at))
        # Too far ahead of the wall clock, as it is now: read again later it would not be.
        shop.send("web", key_of(customer), added(f"f-{customer}", customer, at + 3_600_000))
        shop.await_taken()
        shop.send("web", key_of(customer), added(f"l-{customer}", customer, at - 50))
    shop.producer.flush()


def _expected(actions: list[Record]) -> list[Record]:
    """Those of the customers of whom it is known beforehand what is said to them."""
    return [each for each in actions if not each.json["customer_key"].startswith(key_of(BUSTLE))]


def _leave_carts(shop: Deployment, customers: list[str]) -> list[Due]:
    due = []
    for customer in customers:
        at = wall_millis()
        shop.send("consent", key_of(customer), event(f"c-{customer}", customer, "granted", at, **MARKETING))
        shop.send("web", key_of(customer), added(f"a-{customer}", customer, at))
        due.append(Due("abandonment.cart", customer, at + CART_AFTER))
    return due


def _order(shop: Deployment, customers: list[str]) -> list[Due]:
    due = []
    for customer in customers:
        at = wall_millis()
        shop.send("orders", key_of(customer), placed(f"o-{customer}", customer, at))
        due.append(Due("post_purchase.thanks", customer, at))
    return due


def _ship(shop: Deployment, customers: list[str]) -> list[Due]:
    due = []
    for customer in customers:
        at = wall_millis()
        item = {"order_id": f"o-o-{customer}", "item_id": "p1"}
        shop.send("orders", key_of(customer), event(f"s-{customer}", customer, "item_shipped", at, **item))
        due.append(Due("post_purchase.shipped", customer, at + GATHER))
    return due


def _said(record: Record) -> Due:
    action: dict[str, Any] = record.json
    customer = action["customer_key"].removeprefix("c:")
    return Due(action["trigger"], customer, _ms(action["valid_from"]))


def _ms(text: str) -> int:
    return round((datetime.fromisoformat(text) - moment(0)).total_seconds() * 1000)
