"""The stop button: what a person paused waits, of every category."""

from schemas.customer import Customer
from schemas.event import Millis
from streams.decisions.gates.verdict import Defer, Pass, Verdict
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances


def ask(row: Customer, candidate: Candidate, now: Millis, circumstances: Circumstances) -> Verdict:
    """Defer while the trigger, its family (the name before the first dot) or `*` is paused."""
    paused = circumstances.paused
    if not paused:
        return Pass(candidate)
    family = candidate.trigger.partition(".")[0]
    if paused.isdisjoint((candidate.trigger, family, "*")):
        return Pass(candidate)
    return Defer("paused", now + circumstances.policy.contacts.held_retry)
