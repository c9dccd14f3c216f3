"""A row's durable timers: what is to be looked at again, and when."""

from collections import Counter

from schemas.customer import MAX_TIMERS, Customer
from schemas.event import Millis


def set_timer(row: Customer, timer_id: str, due: Millis) -> str | None:
    """Set the timer `<family>:<rest>` to `due`, ms; an earlier setting of the same id is replaced.

    A row holds MAX_TIMERS. When it is full, one leaves: of the family that has the most, the one due last. So
    a family that fills the row displaces itself, and what is due soon is kept. Returns the id of the timer
    that left (it may be the new one), None as a rule. Raises ValueError for an id without a family.
    """
    if timer_id.find(":") < 1:
        raise ValueError(f"timer id {timer_id!r} is not <family>:<rest>")
    timers = row.timers
    timers[timer_id] = due
    if len(timers) <= MAX_TIMERS:
        return None
    families = Counter(_family(each) for each in timers)
    crowded = max(families, key=lambda family: (families[family], family))
    leaving = max(
        (each for each in timers if _family(each) == crowded), key=lambda each: (timers[each], each)
    )
    del timers[leaving]
    return leaving


def cancel_timer(row: Customer, timer_id: str) -> None:
    """Cancel one timer, if it is set."""
    row.timers.pop(timer_id, None)


def cancel_family(row: Customer, prefix: str) -> None:
    """Cancel every timer whose id begins with `prefix`."""
    for timer_id in [each for each in row.timers if each.startswith(prefix)]:
        del row.timers[timer_id]


def _family(timer_id: str) -> str:
    return timer_id.partition(":")[0]
