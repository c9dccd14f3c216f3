"""All families of triggers, and which is asked: by an event's class, by the name in a timer or a trigger."""

from collections.abc import Iterable

from schemas.customer import Customer, Held
from schemas.event import Event, Millis
from streams.triggers import abandonment, churn_risk, post_purchase
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances
from streams.triggers.family import Family, Observe

FAMILIES: tuple[Family, ...] = (abandonment, churn_risk, post_purchase)
"""In the order in which they propose."""


def reactions(event: type[Event]) -> tuple[Observe, ...]:
    """What an applied event of this class is shown to, family by family.

    Each says what the event makes true, and sets, restarts and ends the row's timers.
    """
    return _REACTIONS.get(event, ())


def ring(row: Customer, timer_id: str, due: Millis, circumstances: Circumstances) -> Iterable[Candidate]:
    """What is true when the timer fires, at `due`, ms; the row holds it no more.

    A timer of a family that this version does not know (an earlier one set it) says nothing.
    """
    family = _BY_NAME.get(timer_id.partition(":")[0])
    return family.ring(row, timer_id, due, circumstances) if family is not None else ()


def recheck(row: Customer, held: Held, now: Millis, circumstances: Circumstances) -> Candidate | None:
    """The held candidate as its trigger would propose it at `now`, ms; None if it would not."""
    family = _BY_NAME.get(held.trigger.partition(".")[0])
    return family.recheck(row, held, now, circumstances) if family is not None else None


def _reactions() -> dict[type[Event], tuple[Observe, ...]]:
    found: dict[type[Event], tuple[Observe, ...]] = {}
    for family in FAMILIES:
        for event, react in family.REACTIONS.items():
            found[event] = (*found.get(event, ()), react)
    return found


_REACTIONS = _reactions()
_BY_NAME = {family.NAME: family for family in FAMILIES}
