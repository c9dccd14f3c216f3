"""Predictions that wait for their outcome, and the labelled examples that they become."""

from models.scorers import MODELS
from schemas.action import moment
from schemas.customer import MAX_PENDING, Customer, Pending
from schemas.event import Arrival, Millis
from schemas.example import Example
from streams.customers import consent
from streams.customers.orders import is_purchase
from streams.customers.timers import cancel_timer, set_timer
from streams.decisions.effects import Effects
from streams.decisions.ids import digest
from streams.decisions.occasions import touches_consent
from streams.triggers.candidate import Candidate

FAMILY = "label"
PLACES = MAX_PENDING // len(MODELS)
"""Predictions of one model that a row keeps."""

_PURCHASE_LABELS = {model.name: model.purchase_label for model in MODELS}


def expect(row: Customer, candidate: Candidate, decision_id: str, now: Millis) -> None:
    """Keep what a model said of the candidate until its horizon has passed; an unscored one leaves nothing.

    When the model's PLACES are taken the new prediction is not kept. Whether one is kept may depend on what
    was known when it was made, never on what came of it: if old ones left for new ones, those would be missing
    whose customers did nothing for long, and the model would learn from the others only.
    """
    if candidate.model is None or candidate.score is None:
        return
    if candidate.features is None or candidate.horizon_ms is None:
        return
    if sum(each.model == candidate.model for each in row.pending) >= PLACES:
        return
    due = now + candidate.horizon_ms
    row.pending.append(
        Pending(
            decision_id=decision_id,
            model=candidate.model,
            features=candidate.features,
            p=candidate.score,
            model_version=candidate.model_version or 0,
            at=now,
            due=due,
        )
    )
    set_timer(row, f"{FAMILY}:{decision_id}", due)


def resolve(row: Customer, arrival: Arrival, stream_time: Millis, effects: Effects) -> None:
    """What an applied event says of the pending predictions: a purchase labels, a withdrawal drops.

    Only a purchase within (prediction, horizon] labels. One that turns out to have happened before the
    prediction voids it: its features did not know. An example is resolved when its outcome is known: at
    stream time.
    """
    if not row.pending:
        return
    if touches_consent(arrival.event) and not consent.allows(row, "profiling", None):
        for pending in tuple(row.pending):
            _drop(row, pending)
    elif is_purchase(row, arrival.event):
        _purchased(row, arrival.at, max(arrival.at, stream_time), effects)


def ring(row: Customer, decision_id: str, due: Millis, effects: Effects) -> None:
    """The horizon of a prediction ended at `due`, ms, without a purchase."""
    for pending in row.pending:
        if pending.decision_id == decision_id:
            _label(row, pending, due, effects, bought=False)
            return


def _purchased(row: Customer, at: Millis, resolved_at: Millis, effects: Effects) -> None:
    for pending in tuple(row.pending):
        if at <= pending.at:
            _drop(row, pending)
        elif at <= pending.due:
            _label(row, pending, resolved_at, effects, bought=True)


def _label(row: Customer, pending: Pending, resolved_at: Millis, effects: Effects, *, bought: bool) -> None:
    _drop(row, pending)
    if not consent.allows(row, "profiling", None):
        return
    effects.examples.append(
        Example(
            example_id=digest("example", pending.decision_id, pending.due - pending.at),
            model=pending.model,
            features=pending.features,
            label=_PURCHASE_LABELS[pending.model] == bought,
            p=pending.p,
            model_version=pending.model_version,
            decided_at=moment(pending.at),
            resolved_at=moment(resolved_at),
        )
    )


def _drop(row: Customer, pending: Pending) -> None:
    row.pending.remove(pending)
    cancel_timer(row, f"{FAMILY}:{pending.decision_id}")
