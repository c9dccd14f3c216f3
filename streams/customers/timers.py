"""A row's durable timers: what is to be looked at again, and when."""

from collections.abc import Container

from schemas.customer import MAX_TIMERS, Customer
from schemas.event import Millis


def set_timer(row: Customer, timer_id: str, due: Millis) -> None:
    """Set the timer `<family>:<rest>` to `due`, ms; an earlier setting of the same id is replaced.

    No timer is ever lost: every family bounds its own, and together they fit (streams/triggers/families.py,
    streams/decisions). Raises ValueError for an id without a family, and RuntimeError for more than MAX_TIMERS:
    then a bound is broken.
    """
    if timer_id.find(":") < 1:
        raise ValueError(f"timer id {timer_id!r} is not <family>:<rest>")
    row.timers[timer_id] = due
    if len(row.timers) > MAX_TIMERS:
        raise RuntimeError(f"timer {timer_id.split(':')[0]} is one more than the {MAX_TIMERS} a row may hold")


def cancel_timer(row: Customer, timer_id: str) -> None:
    """Cancel one timer, if it is set."""
    row.timers.pop(timer_id, None)


def cancel_others(row: Customer, prefix: str, kept: Container[str]) -> None:
    """Cancel every timer `<prefix><name>` whose name is not among the kept ones."""
    start = len(prefix)
    for timer_id in [each for each in row.timers if each.startswith(prefix) and each[start:] not in kept]:
        del row.timers[timer_id]
