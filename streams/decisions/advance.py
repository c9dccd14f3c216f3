"""One event's way, and one timer's: everything that happens to a row between two commits happens here."""

from typing import Literal

from schemas.customer import Customer
from schemas.event import Arrival, Millis
from streams.customers.fold import fold
from streams.decisions import cancel, hold, labels
from streams.decisions.decide import decide
from streams.decisions.effects import Effects
from streams.decisions.recheck import recheck
from streams.triggers import families
from streams.triggers.circumstances import Circumstances


def take(
    row: Customer, arrival: Arrival, stream_time: Millis, circumstances: Circumstances, effects: Effects
) -> Literal["applied", "duplicate", "late"]:
    """Take one event: fold it, and say what follows from it.

    The row is changed in place, outputs go to effects.

    A duplicate or late event changes nothing. Candidates are decided at the event's time, in the order in
    which the triggers propose them.
    """
    verdict = fold(row, arrival, stream_time, circumstances.allowed_lateness_ms)
    if verdict != "applied":
        return verdict
    labels.resolve(row, arrival, stream_time, effects)
    cancel.what_became_wrong(row, arrival, effects)
    for react in families.reactions(type(arrival.event)):
        for candidate in react(row, arrival, circumstances):
            decide(row, candidate, arrival.at, circumstances, effects)
    return verdict


def ring(row: Customer, timer_id: str, due: Millis, circumstances: Circumstances, effects: Effects) -> None:
    """A timer of the row fires. Now is `due`, ms, however long ago that was.

    The timer is removed first; what rings may set it again, for later.
    """
    row.timers.pop(timer_id, None)
    family, _, rest = timer_id.partition(":")
    if family == hold.FAMILY:
        trigger, _, business_key = rest.partition(":")
        recheck(row, trigger, business_key, due, circumstances, effects)
    elif family == labels.FAMILY:
        labels.ring(row, rest, due, effects)
    else:
        for candidate in families.ring(row, timer_id, due, circumstances):
            decide(row, candidate, due, circumstances, effects)
