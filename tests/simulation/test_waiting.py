"""A cart is left while something stands in the way: what is said, when, and with which records."""

from typing import Any

from schemas.action import Action, ActionCancelled
from schemas.customer import unpack
from schemas.event import Millis, to_millis
from schemas.example import Example
from tests.simulation.driver import Change, Task, merged, run
from tests.simulation.logs import DAY, HOUR, MINUTE, START, Happening, log_of, welcomed
from tests.unit.decisions.builders import circumstances

TEA = {"product_id": "p1", "price": 10.0}
ADDED = Happening(0, 0, 1, "web", {"type": "product_added", "cart_id": "k1", "product": TEA})
ORDERED: dict[str, Any] = {
    "type": "order_placed",
    "order_id": "o1",
    "cart_id": "k1",
    "total": 10,
    "items": [TEA],
}


def ordered(after: Millis) -> Happening:
    return Happening(after, 0, 1, "orders", ORDERED)


def played(*happenings: Happening, changes: tuple[Change, ...] = (), **contacts: object) -> Task:
    """The happenings from START on, and what somebody paused or what went stale meanwhile."""
    log = log_of([*welcomed(), *happenings])
    log["around"].extend(changes)
    return run(merged(log), circumstances(contacts=contacts), sizes=[1])


def fates(task: Task, trigger: str = "abandonment.cart") -> list[tuple[str, str]]:
    return [
        (each.outcome, each.reason_code)
        for one in task.outputs
        for each in one.decisions
        if each.trigger == trigger
    ]


def said(task: Task, trigger: str = "abandonment.cart") -> list[Action | ActionCancelled]:
    return [each for one in task.outputs for each in one.actions if each.trigger == trigger]


def pause(after: Millis, what: str = "*") -> Change:
    return Change(START + after, paused=frozenset({what}))


def go_on(after: Millis) -> Change:
    return Change(START + after)


def nothing_waits(task: Task) -> bool:
    return all(not unpack(packed).held for packed in task.rows.values())


def test_a_cart_left_is_spoken_of_when_its_silence_is_long_enough() -> None:
    task = played(ADDED)

    (action,) = said(task)
    assert isinstance(action, Action)
    assert to_millis(action.valid_from) == START + HOUR
    assert fates(task) == [("fired", "cart_abandoned")]


def test_a_paused_trigger_speaks_within_a_retry_after_it_is_resumed() -> None:
    task = played(ADDED, changes=(pause(0), go_on(HOUR + 5 * MINUTE)))

    (action,) = said(task)
    assert isinstance(action, Action)
    assert START + HOUR + 5 * MINUTE <= to_millis(action.valid_from) <= START + HOUR + 6 * MINUTE
    assert fates(task) == [("deferred", "paused"), ("fired", "cart_abandoned")]
    assert nothing_waits(task)


def test_a_pause_of_another_family_holds_nothing() -> None:
    assert fates(played(ADDED, changes=(pause(0, "churn_risk"),))) == [("fired", "cart_abandoned")]


def test_what_waits_too_long_expires_with_a_record_at_its_expiry() -> None:
    task = played(ADDED, changes=(pause(0), go_on(30 * DAY)))

    assert said(task) == []
    assert fates(task) == [("deferred", "paused"), ("suppressed", "expired")]
    last = [each for one in task.outputs for each in one.decisions][-1]
    assert to_millis(last.at) == START + 72 * HOUR
    assert nothing_waits(task)


def test_an_order_during_the_wait_ends_it() -> None:
    task = played(ADDED, ordered(2 * HOUR), changes=(pause(0), go_on(3 * HOUR)))

    assert said(task) == []
    assert fates(task) == [("deferred", "paused"), ("suppressed", "no_longer_true")]


def test_a_new_reason_to_wait_makes_a_record_the_same_one_does_not() -> None:
    stale = Change(START + 2 * HOUR, stale=frozenset({"orders"}))
    task = played(ADDED, changes=(pause(0), stale, go_on(3 * HOUR)))

    assert fates(task) == [("deferred", "paused"), ("deferred", "feed_stale"), ("fired", "cart_abandoned")]


def test_a_silent_feed_of_orders_is_not_a_silent_customer() -> None:
    """Customer 1 ordered while the feed was silent, and the order came in late; customer 2 really left."""
    left = ADDED._replace(customer=2)
    late_order = Happening(2 * HOUR + 5 * MINUTE, 2 * HOUR, 1, "orders", ORDERED)
    stale = Change(START + 1, stale=frozenset({"orders"}))

    task = played(ADDED, left, late_order, changes=(stale, go_on(2 * HOUR + 10 * MINUTE)))

    assert [each.customer_key for each in said(task)] == ["c:2"]


def test_an_order_after_the_message_cancels_it_before_it_is_sent() -> None:
    action, cancelled = said(played(ADDED, ordered(2 * HOUR)))

    assert isinstance(action, Action)
    assert isinstance(cancelled, ActionCancelled)
    assert (cancelled.action_id, cancelled.reason) == (action.action_id, "purchased")
    assert to_millis(cancelled.at) == START + 2 * HOUR


def test_a_cancelled_message_gives_its_place_under_the_cap_back() -> None:
    again = ADDED._replace(after=HOUR, fields=ADDED.fields | {"cart_id": "k2"})

    of_one = [type(each) for each in said(played(ADDED, ordered(2 * HOUR), again, cap=1))]

    assert of_one == [Action, ActionCancelled, Action]


def test_the_prediction_of_a_cart_is_labelled_by_the_order() -> None:
    task = played(ADDED, ordered(2 * DAY))

    assert [each.label for one in task.outputs for each in one.examples if isinstance(each, Example)] == [
        True
    ]


def test_the_prediction_of_a_cart_that_stays_left_is_labelled_at_its_horizon() -> None:
    task = played(ADDED)

    (example,) = [each for one in task.outputs for each in one.examples]
    assert isinstance(example, Example)
    assert example.label is False
    assert to_millis(example.resolved_at) == START + HOUR + 7 * DAY
