"""Why carts were left, as the decisions name it, against what the simulator knows and never tells."""

from collections import Counter
from functools import cache
from typing import NamedTuple

import orjson
from prometheus_client import CollectorRegistry

from models.scorers import cold_start
from schemas.action import Action
from schemas.counts import DAY, HOUR
from schemas.decoding import Decoder
from schemas.event import Arrival
from schemas.policy import Policy
from schemas.rejection import Rejected
from schemas.touchpoints import BUILT_IN
from streams.engine.batch import Batch
from streams.engine.inbox import Tick
from streams.engine.state import TaskState
from streams.engine.store import Store
from streams.local.replayed import millis
from streams.local.simulator.shop import Shop
from streams.local.simulator.truth import Cause
from streams.metrics import Metrics, Tally
from streams.triggers.circumstances import Circumstances
from streams.triggers.feeds import FeedTracker

START = millis("2026-03-01T00:00:00Z")
DAYS, CUSTOMERS = 30, 250
HELPED = ("payment_failed", "out_of_stock")
UNSEEN = ("shipping_cost", "just_browsing")
"""No event complains of these: the right word on them is that no cause is known."""


class Seen(NamedTuple):
    """Why each cart was left, what the first decision on it says of that, and all actions on carts."""

    causes: dict[str, Cause]
    named: dict[str, object]
    actions: list[Action]


@cache
def seen() -> Seen:
    shop, batch = Shop(7, START, CUSTOMERS), Batch([])
    decoders = {each.name: Decoder(each, 1 << 20) for each in BUILT_IN}
    for nth, told in enumerate(shop.until(START + DAYS * DAY)):
        key = told.key.encode()
        event = decoders[told.touchpoint].decode(key, orjson.dumps(told.payload))
        assert not isinstance(event, Rejected)
        topic = f"touchpoints.{told.touchpoint}"
        batch.items.append(Arrival(event, told.at, told.touchpoint, topic, nth, key, told.at))
    batch.items.append(Tick(START + DAYS * DAY + 2 * HOUR, "clock", 0))
    policy = Policy(version="1")
    lateness = {each.name: each.allowed_lateness_ms for each in BUILT_IN}
    given = Circumstances(policy, "1", cold_start(), FeedTracker(policy.feeds), lateness)
    task = TaskState(0, 1, Store(CUSTOMERS * 10), given, Tally(Metrics(CollectorRegistry())))
    while not batch.is_done:
        task.advance(batch, len(batch.items))
    named: dict[str, object] = {}
    for each in batch.effects.decisions:
        for condition in each.conditions:
            if condition.name == "likely_cause" and each.business_key.kind == "cart":
                named.setdefault(each.business_key.id, condition.value)
    said = [each for each in batch.effects.actions if isinstance(each, Action)]
    return Seen(shop.truth.causes, named, [each for each in said if each.business_key.kind == "cart"])


def test_the_cause_of_an_abandoned_cart_is_named_right_in_four_of_five() -> None:
    truth = {cart: None if cause in UNSEEN else cause for cart, cause in seen().causes.items()}
    right = Counter(seen().named.get(cart, "not spoken of") == cause for cart, cause in truth.items())
    assert right.total() > 600
    assert right[True] >= 0.8 * right.total(), right


def test_a_cause_that_an_event_shows_is_never_named_otherwise() -> None:
    shown = Counter(
        (cause, seen().named[cart]) for cart, cause in seen().causes.items() if cart in seen().named
    )
    wrong = {pair: many for pair, many in shown.items() if pair[1] is not None and pair[0] != pair[1]}
    assert wrong == {}


def test_after_a_failed_payment_or_a_missing_product_help_is_offered_and_nothing_else() -> None:
    offers = Counter(
        (each.content.facts["likely_cause"], each.content.offer_class, each.template_id)
        for each in seen().actions
        if each.content.facts["likely_cause"] in HELPED
    )
    assert set(offers) == {(cause, "help", f"abandonment.help.{cause}") for cause in HELPED}
    by_truth = {
        each.content.offer_class
        for each in seen().actions
        if seen().causes.get(each.business_key.id) in HELPED
    }
    assert by_truth <= {"help", "none"}
