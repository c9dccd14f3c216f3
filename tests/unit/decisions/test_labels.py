"""Predictions become examples when their outcome arrives or their horizon ends, and only with profiling."""

import pytest

from models.model import Model
from models.scorers import MODELS
from schemas.action import moment
from schemas.customer import MAX_PENDING, Customer, Order, Permission
from schemas.event import Event, Millis
from schemas.example import Example
from schemas.touchpoints.consent import ConsentChanged
from schemas.touchpoints.orders import OrderItem, OrderPlaced
from streams.decisions import labels
from streams.decisions.effects import Effects
from tests.unit.decisions.builders import AT, DAY, arrival, candidate, customer, scored

HORIZON = 7 * DAY


def waiting(model: str = "cart") -> Customer:
    row = customer("profiling")
    labels.expect(row, scored(model=model, horizon_ms=HORIZON), "d1", AT)
    return row


def examples(effects: Effects) -> list[Example]:
    return [each for each in effects.examples if isinstance(each, Example)]


def resolved(row: Customer, event: Event, at: Millis, stream_time: Millis = 0) -> list[Example]:
    effects = Effects()
    labels.resolve(row, arrival(event, "orders", at), stream_time, effects)
    return examples(effects)


def ordered(row: Customer, at: Millis, stream_time: Millis = 0, follows: str | None = None) -> list[Example]:
    row.orders = [Order(order_id="o1", placed_at=at, total=5.0, event_id="e1", follows=follows)]
    event = OrderPlaced(
        event_id="e1",
        event_time=moment(at),
        source="shop",
        customer_id="1",
        order_id="o1",
        total=5.0,
        items=[OrderItem(product_id="p1")],
    )
    return resolved(row, event, at, stream_time)


def test_a_scored_decision_waits_for_its_horizon() -> None:
    row = waiting()

    (pending,) = row.pending
    assert (pending.decision_id, pending.model, pending.p, pending.model_version) == ("d1", "cart", 0.7, 3)
    assert (pending.at, pending.due, pending.features) == (AT, AT + HORIZON, {"value": 1.0})
    assert row.timers == {"label:d1": AT + HORIZON}


def test_an_unscored_decision_leaves_nothing() -> None:
    row = customer("profiling")
    labels.expect(row, candidate(), "d1", AT)

    assert row.pending == []
    assert row.timers == {}


@pytest.mark.parametrize(("model", "label"), [("cart", True), ("churn", False)])
def test_a_purchase_within_the_horizon_labels_at_stream_time(model: str, label: bool) -> None:
    row = waiting(model)

    (example,) = ordered(row, AT + HORIZON, stream_time=AT + 8 * DAY)

    assert (example.label, example.p, example.model, example.model_version) == (label, 0.7, model, 3)
    assert (example.decided_at, example.resolved_at) == (moment(AT), moment(AT + 8 * DAY))
    assert row.pending == []
    assert row.timers == {}


@pytest.mark.parametrize(("model", "label"), [("cart", False), ("churn", True)])
def test_the_end_of_the_horizon_gives_the_other_label(model: str, label: bool) -> None:
    row, effects = waiting(model), Effects()
    row.timers.clear()

    labels.ring(row, "d1", AT + HORIZON, effects)

    (example,) = examples(effects)
    assert (example.label, example.resolved_at) == (label, moment(AT + HORIZON))
    assert row.pending == []


def test_a_purchase_after_the_horizon_says_nothing_of_it() -> None:
    row = waiting()

    assert ordered(row, AT + HORIZON + 1) == []
    assert len(row.pending) == 1


def test_a_purchase_made_before_the_prediction_voids_it() -> None:
    row = waiting()

    assert ordered(row, AT) == []
    assert row.pending == []
    assert row.timers == {}


def test_a_follow_up_delivery_is_no_purchase() -> None:
    row = waiting()

    assert ordered(row, AT + DAY, follows="o0") == []
    assert len(row.pending) == 1


def test_an_examples_id_depends_on_decision_and_horizon() -> None:
    def id_of(decision_id: str, horizon: Millis) -> str:
        row, effects = customer("profiling"), Effects()
        labels.expect(row, scored(horizon_ms=horizon), decision_id, AT)
        labels.ring(row, decision_id, AT + horizon, effects)
        return examples(effects)[0].example_id

    assert id_of("d1", DAY) == id_of("d1", DAY)
    assert len({id_of("d1", DAY), id_of("d2", DAY), id_of("d1", 2 * DAY)}) == 3


def test_withdrawing_profiling_drops_what_waits_without_an_example() -> None:
    row = waiting()
    row.consent["profiling"] = Permission("withdrawn", AT + DAY, "call 7")
    withdrawal = ConsentChanged(
        event_id="w1",
        type="withdrawn",
        event_time=moment(AT + DAY),
        source="crm",
        purpose="profiling",
        evidence="call 7",
    )

    assert resolved(row, withdrawal, AT + DAY) == []
    assert row.pending == []
    assert row.timers == {}


def test_no_example_is_made_of_a_customer_who_does_not_allow_profiling_any_more() -> None:
    row, effects = waiting(), Effects()
    del row.consent["profiling"]

    labels.ring(row, "d1", AT + HORIZON, effects)

    assert effects.examples == []
    assert row.pending == []


def test_a_model_whose_places_are_taken_keeps_what_it_said_first_and_leaves_the_other_its_own() -> None:
    row = customer("profiling")
    for nth in range(labels.PLACES + 1):
        labels.expect(row, scored(model="churn"), f"d{nth}", AT + nth)
    labels.expect(row, scored(model="cart"), "other", AT)

    kept = [*(f"d{nth}" for nth in range(labels.PLACES)), "other"]
    assert [each.decision_id for each in row.pending] == kept
    assert set(row.timers) == {f"label:{each}" for each in kept}


def test_the_models_places_together_are_what_a_row_keeps() -> None:
    assert labels.PLACES * len(MODELS) <= MAX_PENDING


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_models_own_word_says_what_a_purchase_means(model: Model) -> None:
    (example,) = ordered(waiting(model.name), AT + 1)

    assert example.label is model.purchase_label
