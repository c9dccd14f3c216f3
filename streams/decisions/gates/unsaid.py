"""The same thing is not said twice: an action of this id that the ledger knows is not made again."""

from schemas.customer import Customer
from schemas.event import Millis
from streams.decisions.gates.verdict import Pass, Suppress, Verdict
from streams.decisions.ids import action_id
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances

ALREADY_SAID = "already_said"


def ask(row: Customer, candidate: Candidate, now: Millis, circumstances: Circumstances) -> Verdict:
    """Suppress a candidate whose action was emitted before; an event far behind its time may propose one."""
    said = action_id(row.key, candidate)
    if any(contact.action_id == said for contact in row.contacts):
        return Suppress(ALREADY_SAID)
    return Pass(candidate)
