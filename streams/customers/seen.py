"""The window of event ids: an event is applied at most once, however often and however late it comes."""

from hashlib import blake2b
from typing import Literal

from schemas.customer import MAX_SEEN, Customer
from schemas.event import Millis

_LEAVING = MAX_SEEN // 4

# The window is made anew, not popped from its front: a dict remembers what was popped there, and finding its
# first entry becomes a search. The slack makes that rare.
_SLACK: Millis = 10 * 60_000


def admit(
    row: Customer, touchpoint: str, event_id: str, at: Millis, horizon: Millis
) -> Literal["applied", "duplicate", "late"]:
    """Whether to apply the event, and if so remember its id. `horizon`, ms: earlier events are late.

    Law: an id that was admitted once is never admitted again with the same event time. The window holds every
    id that could still pass as punctual; those before the horizon leave together, as soon as the oldest arrival
    is 10 minutes before it: by events alone. When more than MAX_SEEN remain, the quarter that happened first
    leaves and the touchpoint's floor rises to the newest of them; at or below the floor everything is late. A
    refused event changes nothing.
    """
    window = row.seen.get(touchpoint)
    hashed = int.from_bytes(blake2b(event_id.encode(), digest_size=8).digest())
    if window is None:
        if at < horizon or at <= row.seen_floor.get(touchpoint, at - 1):
            return "late"
        row.seen[touchpoint] = {hashed: at}
        return "applied"
    if hashed in window:
        return "duplicate"
    if at < horizon or (row.seen_floor and at <= row.seen_floor.get(touchpoint, at - 1)):
        return "late"
    window[hashed] = at
    if window[next(iter(window))] < horizon - _SLACK:
        window = row.seen[touchpoint] = {each: then for each, then in window.items() if then >= horizon}
    if len(window) > MAX_SEEN:
        _overflow(row, touchpoint, window)
    return "applied"


def _overflow(row: Customer, touchpoint: str, window: dict[int, Millis]) -> None:
    floor = sorted(window.values())[_LEAVING - 1]
    row.seen_floor[touchpoint] = floor
    row.seen[touchpoint] = {hashed: at for hashed, at in window.items() if at > floor}
