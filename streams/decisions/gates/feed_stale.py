"""A silent feed is not a silent customer: what an unseen event could cancel waits for the feed."""

from schemas.customer import Customer
from schemas.event import Millis
from streams.decisions.gates.verdict import Defer, Pass, Verdict
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances


def ask(row: Customer, candidate: Candidate, now: Millis, circumstances: Circumstances) -> Verdict:
    """Defer while a touchpoint that would cancel the candidate is stale."""
    if any(circumstances.feeds.is_stale(touchpoint) for touchpoint in candidate.cancels_on):
        return Defer("feed_stale", now + circumstances.policy.contacts.held_retry)
    return Pass(candidate)
