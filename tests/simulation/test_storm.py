"""A bad policy is a storm and is held by itself, restarts or not; a backlog after an outage is none."""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from models.scorers import cold_start
from schemas.action import Action, moment
from schemas.decision import Decision
from schemas.event import Arrival, Event, Millis
from schemas.policy import Policy
from schemas.touchpoints import BUILT_IN
from streams.engine.batch import Batch
from streams.engine.inbox import Tick
from streams.engine.outputs import Outputs
from streams.engine.state import TaskState
from streams.engine.store import Store
from streams.engine.task_row import TaskRow, pack_task_row, unpack_task_row
from streams.metrics import Metrics, Tally
from streams.triggers.circumstances import Circumstances
from streams.triggers.feeds import FeedTracker

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
START: Millis = 1_700_000_000_000 // HOUR * HOUR
CART, THANKS = "abandonment.cart", "post_purchase.thanks"
BOUGHT_AFTER = 10 * MINUTE
CHANGE, END = 12 * HOUR, 24 * HOUR
"""When the policy is changed, and when the last customer comes. They come every five minutes."""

_CONTRACTS = {each.name: each.event for each in BUILT_IN}
_STORMS = {"limit": 1_000, "factor": 4, "min_history": 3, "min_count": 5}


def policy(cart_after: str, **storms: Any) -> Policy:
    return Policy.model_validate(
        {
            "version": cart_after,
            "abandonment": {"cart_after": cart_after},
            "feeds": {"min_history": 10_000},
            "storms": _STORMS | storms,
        }
    )


GOOD, BAD = policy("60m"), policy("1s")


class Run:
    """One task over a log, restarted from its task row and packed rows before every batch if it has to be."""

    def __init__(self, size: int, *, restarts: bool) -> None:
        self.actions: list[Action] = []
        self.decisions: list[Decision] = []
        self._size, self._restarts = size, restarts
        self._committed = pack_task_row(TaskRow())
        self._store = Store(100)
        self._state = self._open(GOOD, {})

    @property
    def outputs(self) -> list[bytes]:
        """The actions and then the decisions, each in their order."""
        return [each.to_json() for each in (*self.actions, *self.decisions)]

    @property
    def held(self) -> list[str]:
        given = self._state.circumstances
        return given.storms.held(given.released)

    def take(
        self, log: Sequence[Arrival | Tick], by: Policy, released: dict[str, int] | None = None
    ) -> "Run":
        """Take the log with this policy, as a worker that was started with it would, in batches."""
        self._state = self._open(by, released or {})
        for begin in range(0, len(log), self._size):
            if self._restarts:
                self._state = self._open(by, released or {})
            batch = Batch([*log[begin : begin + self._size]])
            while not batch.is_done:
                self._state.advance(batch, self._size)
            self._commit(batch)
        return self

    def said(self, trigger: str) -> Counter[str]:
        """Of what the trigger's actions are."""
        return Counter(each.business_key.id for each in self.actions if each.trigger == trigger)

    def decided(self, outcome: str, reason: str) -> Counter[str]:
        return Counter(
            each.business_key.id
            for each in self.decisions
            if (each.outcome, each.reason_code) == (outcome, reason)
        )

    def _commit(self, batch: Batch) -> None:
        rows = Outputs("log", 1 << 20).pack(batch)
        self._committed = pack_task_row(self._state.task_row())
        self._store.show(rows)
        self.actions += [each for each in batch.effects.actions if isinstance(each, Action)]
        self.decisions += batch.effects.decisions

    def _open(self, by: Policy, released: dict[str, int]) -> TaskState:
        given = Circumstances(
            policy=by,
            policy_version=by.version,
            scorers=cold_start(),
            feeds=FeedTracker(by.feeds),
            allowed_lateness_ms={each.name: each.allowed_lateness_ms for each in BUILT_IN},
            reference_version=max(released.values(), default=1),
            released=released,
        )
        state = TaskState(0, 1, self._store, given, Tally(Metrics(CollectorRegistry())))
        state.load(unpack_task_row(self._committed))
        return state

    @property
    def committed(self) -> tuple[dict[bytes, bytes], bytes]:
        return dict(self._store.packed), self._committed


class Shop(NamedTuple):
    """The log of a shop: up to the change of the policy, from there to the last customer, and ten days more."""

    before: list[Arrival | Tick]
    after: list[Arrival | Tick]
    later: list[Arrival | Tick]


@cache
def shop() -> Shop:
    """Every customer fills a cart, five of six buy it ten minutes later."""
    told = []
    for nth in range(END // (5 * MINUTE)):
        at, product = nth * 5 * MINUTE, {"product_id": "p", "price": 5.0}
        told.append(_event("consent", "granted", nth, at, purpose="marketing", evidence="form", channel=None))
        told.append(_event("web", "product_added", nth, at + 1, product=product, cart_id=f"k{nth}"))
        if nth % 6:
            fields = {"order_id": f"o{nth}", "cart_id": f"k{nth}", "items": [product], "total": 5.0}
            told.append(_event("orders", "order_placed", nth, at + BOUGHT_AFTER, **fields))
    told.sort(key=lambda each: (each.at, each.topic))
    later: list[Arrival | Tick] = [Tick(START + END + hour * HOUR, "clock", hour) for hour in range(240)]
    return Shop(
        [each for each in told if each.at < START + CHANGE],
        [each for each in told if each.at >= START + CHANGE],
        later,
    )


def _event(touchpoint: str, kind: str, nth: int, after: Millis, **fields: Any) -> Arrival:
    envelope = {"event_id": f"{kind}-{nth}", "type": kind, "source": "test", "customer_id": f"{nth}"}
    event: Event = msgspec.convert(
        {**envelope, "event_time": "2023-11-14T22:00:00Z", **fields}, _CONTRACTS[touchpoint]
    )
    key = f"c:{nth}".encode()
    return Arrival(event, START + after, touchpoint, f"touchpoints.{touchpoint}", nth, key, START + after)


def left(first: Millis = 0, end: Millis = END) -> set[str]:
    """The carts of that time that nobody bought."""
    return {f"k{nth}" for nth in range(0, END // (5 * MINUTE), 6) if first <= nth * 5 * MINUTE < end}


def stormy(size: int = 100, *, restarts: bool = False) -> Run:
    return Run(size, restarts=restarts).take(shop().before, GOOD).take(shop().after, BAD)


def test_with_a_good_policy_nothing_is_held() -> None:
    run = Run(100, restarts=False)
    for part in shop():
        run.take(part, GOOD)
    assert run.held == []
    assert run.said(CART).keys() == left()
    assert not run.decided("deferred", "storm")


def test_a_bad_policy_is_held_within_the_hour_and_whatever_it_would_have_said_has_a_record() -> None:
    run = stormy()
    assert run.held == [CART]
    changed = moment(START + CHANGE)
    storm = [each for each in run.actions if each.trigger == CART and each.valid_from >= changed]
    # 2 reminders an hour were usual, so the 9th in one is a storm and the last that goes out.
    assert len(storm) == 9
    spoken = {each.business_key.id for each in storm}
    everything = {f"k{nth}" for nth in range(CHANGE // (5 * MINUTE), END // (5 * MINUTE))}
    assert run.decided("deferred", "storm").keys() == everything - spoken
    assert set(run.decided("deferred", "storm").values()) == {1}


def test_other_triggers_go_on_in_a_storm() -> None:
    bought = {f"o{nth}" for nth in range(END // (5 * MINUTE)) if nth % 6}
    assert stormy().take(shop().later, BAD).said(THANKS).keys() == bought


def test_what_nobody_releases_ends_with_its_expiry_and_a_record() -> None:
    run = stormy().take(shop().later, BAD)
    held = run.decided("deferred", "storm")
    ended = run.decided("suppressed", "expired") + run.decided("suppressed", "no_longer_true")
    assert held.keys() == ended.keys()
    assert run.decided("suppressed", "expired").keys() >= {k for k in left(CHANGE + HOUR) if k in held}
    assert run.held == [CART]


@pytest.mark.parametrize(("size", "restarts"), [(1, True), (7, True), (7, False), (10_000, False)])
def test_neither_batches_nor_restarts_change_a_byte(size: int, restarts: bool) -> None:
    def whole(run: Run) -> Run:
        return run.take(shop().later[:30], BAD).take(shop().later[30:], GOOD, {CART: 2})

    other, run = whole(stormy(size, restarts=restarts)), whole(stormy())
    assert other.outputs == run.outputs
    assert other.committed == run.committed


def test_a_release_lets_go_on_with_what_is_still_true() -> None:
    run = stormy()
    before = run.said(CART).keys()
    run.take(shop().later[:1], GOOD)
    assert run.held == [CART]
    run.take(shop().later[1:], policy("60m", min_count=100), {"abandonment": 2})
    assert run.held == []
    assert run.said(CART).keys() == before | left(CHANGE)
    assert max(run.said(CART).values()) == 1


def test_a_release_is_no_licence_to_storm_again() -> None:
    run = stormy().take(shop().later, BAD, {CART: 2})
    assert run.held == [CART]
    assert run.decided("suppressed", "expired") or run.decided("suppressed", "no_longer_true")


def test_hours_worked_off_at_once_after_an_outage_of_the_worker_are_no_storm() -> None:
    """By the time at which they go out, the thanks of twelve hours would be many times the limit."""
    tight = policy("60m", limit=14)
    steady, outage = Run(1, restarts=False), Run(10_000, restarts=True)
    for run in (steady, outage):
        run.take(shop().before, tight)
        run.take([*shop().after, *shop().later], tight)
        assert run.held == []
    assert outage.outputs == steady.outputs
    assert sum(outage.said(THANKS).values()) > 10 * 14


def test_hours_of_one_source_that_come_in_late_at_once_are_no_storm() -> None:
    """Its firings fall into the present window: 7 hours and the present one are less than `factor` 10."""
    usual = policy("60m", factor=10)
    begin, end = START + 14 * HOUR, START + 21 * HOUR
    log = [*shop().before, *shop().after]
    silent = [each for each in log if each.topic == "touchpoints.orders" and begin <= each.at < end]
    rest = [each for each in log if each not in silent]
    back = next(nth for nth, each in enumerate(rest) if each.at >= end)
    run = Run(100, restarts=False)
    for part in (rest[:back], silent, rest[back:], shop().later):
        run.take(part, usual)
    assert run.held == []
    assert run.said(THANKS).keys() == {f"o{nth}" for nth in range(END // (5 * MINUTE)) if nth % 6}
