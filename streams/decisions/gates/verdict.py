"""What a gate may say of a candidate."""

from collections.abc import Callable
from typing import NamedTuple

from schemas.customer import Customer
from schemas.event import Millis
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances


class Pass(NamedTuple):
    """The candidate may go on, perhaps narrowed; `reason` says what was taken from it."""

    candidate: Candidate
    reason: str | None = None


class Suppress(NamedTuple):
    """The candidate ends here."""

    reason: str


class Defer(NamedTuple):
    """Not now: the candidate is held and looked at again at `until`, ms."""

    reason: str
    until: Millis


Verdict = Pass | Suppress | Defer

Gate = Callable[[Customer, Candidate, Millis, Circumstances], Verdict]
"""(row, candidate, now, circumstances) → verdict. Pure: a gate reads the row and never changes it."""
