"""How often marketing may speak to one customer."""

from schemas.customer import Customer
from schemas.event import Millis
from streams.decisions import ledger
from streams.decisions.gates.verdict import Pass, Suppress, Verdict
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances


def ask(row: Customer, candidate: Candidate, now: Millis, circumstances: Circumstances) -> Verdict:
    """Suppress marketing once the rolling window holds `cap` marketing contacts.

    A contact at `now - cap_window` has just left the window. Contacts after `now` count too (an event may
    come late), so that no window anywhere holds more than the cap. Service and transactional are never
    capped.
    """
    if candidate.category != "marketing":
        return Pass(candidate)
    contacts = circumstances.policy.contacts
    taken = sum(ledger.counts(contact) and contact.at > now - contacts.cap_window for contact in row.contacts)
    return Pass(candidate) if taken < contacts.cap else Suppress("cap_reached")
