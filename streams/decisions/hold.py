"""The waiting room: deferred candidates in the row, each with the timer at which it is looked at again."""

from schemas.customer import MAX_HELD, Customer, Held
from schemas.decision import Decision
from schemas.event import Millis
from streams.customers.timers import cancel_timer, set_timer
from streams.triggers.candidate import Candidate

FAMILY = "held"
_PATIENCE = 8


def timer_id(trigger: str, business_key: str) -> str:
    """`held:<trigger>:<business key>`."""
    return f"{FAMILY}:{trigger}:{business_key}"


def deferred(candidate: Candidate, decision: Decision, now: Millis, earlier: Held | None) -> Held:
    """What is held of a candidate: for what reason, since when, and the record that says so.

    A deferral whose reason changed goes on with the age and the expiry of the first.
    """
    return Held(
        trigger=candidate.trigger,
        business_key=str(candidate.business_key),
        reason=decision.reason_code,
        since=now if earlier is None else earlier.since,
        expires_at=candidate.expires_at,
        decision_id=decision.decision_id,
    )


def keep(row: Customer, held: Held, until: Millis, now: Millis) -> Held | None:
    """Hold it until `until`, ms, or its expiry if that comes first; returns what has to leave for it.

    What has waited long is looked at less often: not before it has waited an eighth longer. So a wait of
    three days costs some sixty looks, and ends at most an eighth later than it could have.

    The room has MAX_HELD places. When it is full the one that expires first leaves, the new one not excepted.
    """
    leaving = None
    if len(row.held) >= MAX_HELD:
        leaving = min((*row.held, held), key=lambda each: (each.expires_at, each.trigger, each.business_key))
        if leaving is held:
            return held
        release(row, leaving.trigger, leaving.business_key)
    row.held.append(held)
    patient = now + (now - held.since) // _PATIENCE
    set_timer(row, timer_id(held.trigger, held.business_key), min(max(until, patient), held.expires_at))
    return leaving


def release(row: Customer, trigger: str, business_key: str) -> Held | None:
    """Take it out of the room, its timer too; None if it is not held."""
    for held in row.held:
        if held.trigger == trigger and held.business_key == business_key:
            row.held.remove(held)
            cancel_timer(row, timer_id(trigger, business_key))
            return held
    return None
