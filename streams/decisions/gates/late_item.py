"""Nobody is courted while something they paid for is late."""

from schemas.customer import Customer
from schemas.event import Millis
from streams.customers import orders
from streams.decisions.gates.verdict import Defer, Pass, Verdict
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances


def ask(row: Customer, candidate: Candidate, now: Millis, circumstances: Circumstances) -> Verdict:
    """Defer marketing while an item of the customer's is late; service and transactional messages go on."""
    if candidate.category != "marketing" or not orders.has_late_item(row, now):
        return Pass(candidate)
    return Defer("late_item", now + circumstances.policy.contacts.late_item_retry)
