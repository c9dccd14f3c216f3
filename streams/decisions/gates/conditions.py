"""A candidate whose own conditions are not met is not said; it arose to be judged, recorded and learned from."""

from schemas.customer import Customer
from schemas.event import Millis
from streams.decisions.gates.verdict import Pass, Suppress, Verdict
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances


def are_met(candidate: Candidate) -> bool:
    """Whether all that the trigger asks for is there."""
    return all(condition.met for condition in candidate.conditions)


def ask(row: Customer, candidate: Candidate, now: Millis, circumstances: Circumstances) -> Verdict:
    """Suppress for the reason that the trigger itself gives."""
    return Pass(candidate) if are_met(candidate) else Suppress(candidate.reason_code)
