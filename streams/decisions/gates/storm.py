"""The storm breaker: what fires far more than it usually does waits for a person, of every category."""

from schemas.customer import Customer
from schemas.event import Millis
from streams.decisions.gates.verdict import Defer, Pass, Verdict
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances


def ask(row: Customer, candidate: Candidate, now: Millis, circumstances: Circumstances) -> Verdict:
    """Defer while the trigger is held by its storm and no person has released it."""
    if circumstances.storms.is_held(candidate.trigger, circumstances.released):
        return Defer("storm", now + circumstances.policy.contacts.held_retry)
    return Pass(candidate)
