"""How a row counts: per kind, in buckets of event time of three widths. Models and triggers read it."""

from typing import Literal, NamedTuple, get_args

from schemas.customer import Customer
from schemas.event import Millis

Kind = Literal["events", "views", "searches", "adds", "checkouts", "problems", "orders", "messages", "clicks"]
"""`events`: whatever the customer did. `problems`: obstacles shown. `messages`: sent. `clicks`: and
replies.
"""

KINDS: tuple[Kind, ...] = get_args(Kind)

HOUR: Millis = 3_600_000
DAY: Millis = 24 * HOUR


class Tier(NamedTuple):
    """One width of buckets, ms; how many of the newest are kept; and the longest window it answers, ms."""

    suffix: str
    width: Millis
    keep: int
    longest: Millis


TIERS: tuple[Tier, ...] = (
    Tier("/5m", 300_000, 24, HOUR),
    Tier("/1h", HOUR, 192, 7 * DAY),
    Tier("/1d", DAY, 92, 90 * DAY),
)
"""At most 24 + 192 + 92 buckets a kind, and only those in which something happened."""


def count(row: Customer, kind: Kind, window_ms: Millis, at: Millis) -> int:
    """How many of `kind` happened in the `window_ms` up to and including `at`.

    Granularity: 5 minutes for windows to 1 h, 1 hour to 7 d, 1 day to 90 d; the bucket in which the window
    begins is left out, so the window is short by less than one bucket, never long. Exact for an `at` not
    older than the row's newest event by more than what a tier keeps beyond its longest window (1 h, 1 d, 2
    d). Raises ValueError for a window longer than 90 days.
    """
    for suffix, width, _, longest in TIERS:
        if window_ms <= longest:
            buckets = row.counts.get(kind + suffix)
            if buckets is None:
                return 0
            before, last = (at - window_ms) // width, at // width
            return sum(many for bucket, many in buckets.items() if before < bucket <= last)
    raise ValueError(f"counts reach back 90 days; asked for {window_ms} ms")
