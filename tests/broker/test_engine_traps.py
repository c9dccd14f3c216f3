"""Input that is hidden or comes slowly: nobody is spoken to too early, and nothing is late."""

from collections import Counter
from itertools import islice, product
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Producer

from schemas.action import moment
from schemas.topics import ACTIONS, DEAD_LETTERS
from streams.clock import wall_millis
from tests.broker.events import START, added, event, key_of, placed
from tests.broker.reading import read
from tests.broker.stalls import MODULES, TOUCHPOINTS
from tests.broker.trapping import HANDED_OUT, STARVE
from tests.broker.witnesses import customers_of, stranger
from tests.broker.workers import Deployment, await_true, deployed

pytestmark = pytest.mark.broker

SOON = """\
version: soon
time: {grace: 500ms}
feeds: {min_history: 10000}
abandonment: {cart_after: 3s, checkout_after: 3s, browse_after: 1h, give_up: 30m}
"""
COMMITTED, ABORTED, FREE = range(3)
"""Tasks: into the orders of two of them strangers write, and hang."""
LATER = 1_000
MARKETING = {"purpose": "marketing", "evidence": "form 1"}


def test_an_order_hidden_by_a_hung_transaction_is_heard_before_its_reminder_is_sent(
    kafka: str, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(SOON)
    with deployed(kafka, time="live", partitions=3, policy=policy) as shop:
        worker = shop.start().await_ready()
        began = wall_millis()
        first, second = zip(*(islice(customers_of(task, 3), 2) for task in range(3)), strict=True)
        strangers = [stranger(kafka) for _ in range(2)]
        for task, hangs in enumerate(strangers):
            order = placed("o", first[task], began + 1)
            hangs.produce(
                "touchpoints.orders", orjson.dumps(order), key_of(first[task]).encode(), partition=task
            )
            hangs.flush()
        for customer, at in [*((each, began) for each in first), *((each, began + LATER) for each in second)]:
            shop.send(
                "consent", key_of(customer), event(f"c-{customer}", customer, "granted", at, **MARKETING)
            )
            shop.send("web", key_of(customer), added(f"a-{customer}", customer, at))
        visible = {place: end for place, end in shop.ends().items() if place[0] != "touchpoints.orders"}
        shop.await_offsets(visible)

        # The wall clock is now past all silences: of the later one too, when those of the first must have ended.
        await_true("reminders where nothing hangs", lambda: second[FREE] in _reminded(kafka))
        assert _reminded(kafka) == Counter([first[FREE], second[FREE]])
        strangers[COMMITTED].commit_transaction(30)
        strangers[ABORTED].abort_transaction(30)
        expected = Counter([*first, *second]) - Counter([first[COMMITTED]])
        await_true("all other reminders", lambda: _reminded(kafka) >= expected)
        assert worker.stop() == 0, worker.said
        assert _reminded(kafka) == expected
        assert _told(kafka, "post_purchase.thanks") == Counter([first[COMMITTED]])


def _reminded(kafka: str) -> Counter[str]:
    return _told(kafka, "abandonment.cart")


def _told(kafka: str, trigger: str) -> Counter[str]:
    actions = (record.json for record in read(kafka, ACTIONS))
    return Counter(each["customer_key"].removeprefix("c:") for each in actions if each["trigger"] == trigger)


SLOW = TOUCHPOINTS[0].topic
BEHIND = 500_000
TASKS, CUSTOMERS = 2, 100
SPACING, OTHERS_SPACING = 1_000, 1_000_000
"""In ms of event time. Whoever passes the slow topic passes it by far more than it may be late."""
ACTS: dict[str, tuple[str, dict[str, str]]] = {
    "web": ("page_viewed", {}),
    "orders": ("custom", {"name": "Invoice Printed"}),
    "messages": ("opened", {"action_id": "a", "channel": "email"}),
    "consent": ("granted", MARKETING),
}


def test_twelve_topics_of_which_one_is_half_a_million_events_behind_and_slow_have_no_late_event(
    kafka: str,
) -> None:
    settings = {"partitions": TASKS, "touchpoints": MODULES, "agents": ["tests.broker.trapping"]}
    with deployed(kafka, time="events", idle_ms=20, **settings) as shop:
        assert len(shop.touchpoints) == 12
        sent = _fill(shop)
        worker = shop.start(**{STARVE: SLOW}).await_ready()
        shop.await_taken(240)

        await_true("the last counts", lambda: worker.metric("consumed_total") == BEHIND + sent)
        assert worker.metric("applied_total") == BEHIND + sent
        assert worker.metric("late_total") == 0
        assert read(kafka, DEAD_LETTERS) == []
        assert sum(line["message"] == HANDED_OUT for line in worker.log) > 20
        assert worker.stop() == 0, worker.said
    for gone in shop.admin.delete_topics([each.topic for each in TOUCHPOINTS]).values():
        gone.result()


def _fill(shop: Deployment) -> int:
    """Half a million events into one topic, a few over the same days into each other; returns how many these are."""
    customers = [list(islice(customers_of(task, TASKS), CUSTOMERS)) for task in range(TASKS)]
    producer = Producer(
        {"bootstrap.servers": shop.bootstrap, "queue.buffering.max.messages": BEHIND, "linger.ms": 50}
    )
    for number in range(BEHIND):
        task, turn = number % TASKS, number // TASKS
        name, at = customers[task][turn % CUSTOMERS], moment(START + turn * SPACING).isoformat()
        value = (
            f'{{"event_id":"{number}","type":"seen","event_time":"{at}","customer_id":"{name}","source":"s"}}'
        )
        producer.produce(SLOW, value, key_of(name), partition=task)
    producer.flush()
    sent = 0
    end = START + BEHIND // TASKS * SPACING
    for happened in range(START, end + OTHERS_SPACING, OTHERS_SPACING):
        for task, touchpoint in product(range(TASKS), shop.touchpoints):
            if touchpoint.topic != SLOW:
                name = customers[task][sent % CUSTOMERS]
                kind, fields = ACTS.get(touchpoint.name, ("seen", {}))
                value_of = event(f"{sent}", name, kind, happened, **fields)
                shop.send(touchpoint.name, key_of(name), value_of, partition=task)
                sent += 1
    return sent
