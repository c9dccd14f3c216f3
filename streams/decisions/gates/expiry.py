"""What came too late is not said."""

from schemas.customer import Customer
from schemas.event import Millis
from streams.decisions.gates.verdict import Pass, Suppress, Verdict
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances

EXPIRED = "expired"


def ask(row: Customer, candidate: Candidate, now: Millis, circumstances: Circumstances) -> Verdict:
    """Suppress from `expires_at` on: a message is valid in [valid_from, expires_at)."""
    return Pass(candidate) if now < candidate.expires_at else Suppress(EXPIRED)
