"""A silent feed is not a silent customer: orders stop for two hours while the web flows, then catch up."""

from typing import Any

import msgspec

from models.scorers import cold_start
from schemas.action import Action
from schemas.customer import Customer, Permission
from schemas.event import Arrival, Event, Millis
from schemas.policy import Feeds, Policy
from schemas.touchpoints import BUILT_IN
from streams.decisions.advance import ring, take
from streams.decisions.effects import Effects
from streams.triggers.circumstances import Circumstances
from streams.triggers.feeds import FeedTracker

MINUTE, HOUR = 60_000, 3_600_000
START: Millis = 1_700_000_000_000
LATENESS = {each.name: each.allowed_lateness_ms for each in BUILT_IN}
CONTRACTS = {each.name: each.event for each in BUILT_IN}

OUTAGE, RETURN, END = 6 * HOUR, 8 * HOUR, 14 * HOUR
BUYS_EVERY = 2
"""Every second cart becomes an order, ten minutes after it was filled."""


class Task:
    """Rows, feeds and timers of one task; takes events in the order in which they come in."""

    def __init__(self) -> None:
        self.rows: dict[str, Customer] = {}
        self.feeds = FeedTracker(Feeds())
        self.effects = Effects()
        self.circumstances = Circumstances(
            policy=Policy(version="t"),
            policy_version="t",
            scorers=cold_start(),
            feeds=self.feeds,
            allowed_lateness_ms=LATENESS,
        )
        self._taken = 0

    def takes(self, key: str, after: Millis, touchpoint: str, type_: str, **fields: Any) -> None:
        at = START + after
        self._rings(max(self.feeds.history.stream_time, at))
        self._taken += 1
        event: Event = msgspec.convert(
            {
                "event_id": f"e{self._taken}",
                "type": type_,
                "event_time": "2023-11-14T22:13:20Z",
                "customer_id": key,
                "source": "test",
                **fields,
            },
            CONTRACTS[touchpoint],
        )
        granted = {"marketing": Permission("granted", START, "form")}
        row = self.rows.setdefault(key, Customer(key=key, consent=granted))
        arrival = Arrival(event, at, touchpoint, touchpoint, self._taken, key.encode(), at)
        stream_time = max(self.feeds.history.stream_time, at)
        if take(row, arrival, stream_time, self.circumstances, self.effects) == "applied":
            self.feeds.observe(touchpoint, at)

    def reminded(self) -> dict[str, Millis]:
        """Customer → when, ms after START, of every reminder of a cart."""
        return {
            each.customer_key: round(each.valid_from.timestamp() * 1_000) - START
            for each in self.effects.actions
            if isinstance(each, Action) and each.trigger == "abandonment.cart"
        }

    def _rings(self, before: Millis) -> None:
        while due := [
            (at, key, timer)
            for key, row in self.rows.items()
            for timer, at in row.timers.items()
            if at < before
        ]:
            at, key, timer = min(due)
            ring(self.rows[key], timer, at, self.circumstances, self.effects)


def live(*, outage: bool) -> Task:
    """A shop with a cart every two minutes; in an outage the orders of two hours come in at its end."""
    task, backlog = Task(), []
    for minute in range(0, END // MINUTE, 2):
        at = minute * MINUTE
        nth = minute // 2
        for step in range(4):
            task.takes(f"v{nth % 50}", at + step, "web", "page_viewed")
        if minute < (END - 2 * HOUR) // MINUTE:
            task.takes(f"c{nth}", at + 5, "web", "product_added", product={"product_id": "p", "price": 5.0})
        buyer = nth - 5
        if buyer < 0 or buyer % BUYS_EVERY:
            continue
        order = {"order_id": f"o{buyer}", "items": [{"product_id": "p"}], "total": 5.0}
        if outage and OUTAGE <= at < RETURN:
            backlog.append((f"c{buyer}", at + 6, order))
            continue
        for key, earlier, late in backlog:
            task.takes(key, earlier, "orders", "order_placed", **late)
        backlog.clear()
        task.takes(f"c{buyer}", at + 6, "orders", "order_placed", **order)
    return task


def test_without_an_outage_the_true_ones_are_reminded_after_an_hour() -> None:
    reminded = live(outage=False).reminded()
    assert reminded
    assert all(int(key[1:]) % BUYS_EVERY for key in reminded)
    assert all(at == int(key[1:]) * 2 * MINUTE + 5 + HOUR for key, at in reminded.items())


def test_in_an_outage_nobody_is_reminded_and_afterwards_only_the_true_ones_are() -> None:
    task = live(outage=True)
    reminded = task.reminded()
    quiet = range(OUTAGE + 50 * MINUTE, RETURN)
    assert [key for key, at in reminded.items() if at in quiet] == []
    assert set(reminded) == set(live(outage=False).reminded())
    deferred = [each for each in task.effects.decisions if each.reason_code == "feed_stale"]
    assert len(deferred) > 30
    assert {each.outcome for each in deferred} == {"deferred"}
