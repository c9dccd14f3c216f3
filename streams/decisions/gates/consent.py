"""Marketing goes only where the customer allowed it; the gate picks the channel."""

from schemas.customer import Customer
from schemas.event import Millis
from streams.customers import consent
from streams.decisions.gates.verdict import Pass, Suppress, Verdict
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances


def ask(row: Customer, candidate: Candidate, now: Millis, circumstances: Circumstances) -> Verdict:
    """Narrow the candidate to the first channel that may be used.

    Marketing needs the purpose `marketing` granted for the channel; unknown is denied. Service and
    transactional messages are part of what the customer ordered: they take the first channel, and a denial
    or withdrawal of marketing does not stop them.
    """
    for channel in candidate.channels:
        if candidate.category != "marketing" or consent.allows(row, "marketing", channel):
            return Pass(candidate._replace(channels=(channel,)))
    return Suppress("no_marketing_consent" if candidate.channels else "no_channel")
