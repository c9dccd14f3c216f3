"""The oracle's ledger: what was said to one customer, on which channel, and what became of it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tests.faults.oracle_news import Proposal, Said, is_marketing
from tests.faults.oracle_orders import DAY, Json

CAP, CAP_WINDOW, PLACES = 3, 7 * DAY, 40
_RISING = (
    *("emitted", "cancelled", "sent", "delivered", "bounced", "opened", "dismissed"),
    *("clicked", "replied", "not_interested", "unsubscribed", "complained"),
)
_CARE = ("delivered_check", "delivery_mismatch", "how_was_it")


Name = tuple[Said, int]
"""A decision, and how many alike came before it: late news can ring twice for the same moment."""


@dataclass
class Contact:
    """Something that was said. `name` is its decision's."""

    name: Name
    proposal: Proposal
    channel: str
    status: str = "emitted"
    status_at: int = 0

    @property
    def said(self) -> Said:
        return self.name[0]

    @property
    def category(self) -> str:
        if is_marketing(self.proposal.trigger):
            return "marketing"
        return "service" if self.proposal.trigger.partition(".")[2] in _CARE else "transactional"

    def is_open(self, now: int) -> bool:
        """It may still be called back."""
        return self.status == "emitted" and now < self.proposal.expires_at

    @property
    def takes_a_place(self) -> bool:
        """It counts against the cap."""
        return self.category == "marketing" and self.status not in ("bounced", "cancelled")


class Ledger:
    """`names` tells of which decision an action's id is."""

    def __init__(self, names: Mapping[str, Name]) -> None:
        self.contacts: list[Contact] = []
        self._names = names
        self._alike: Counter[Said] = Counter()

    def enter(self, said: Said, proposal: Proposal, channel: str) -> None:
        """It was said; a full ledger forgets what is needed least, oldest first."""
        if len(self.contacts) == PLACES:
            self.contacts.remove(min(self.contacts, key=lambda each: (_need(each, said.at), each.said.at)))
        self.contacts.append(Contact((said, self._alike[said]), proposal, channel, status_at=said.at))
        self._alike[said] += 1

    def told(self, event: Json, at: int) -> None:
        """Feedback of a messaging service: what it tells only rises."""
        name = self._names.get(event["action_id"])
        for contact in self.contacts:
            if contact.name == name:
                rank, known = _RISING.index(event["type"]), _RISING.index(contact.status)
                if rank > known:
                    contact.status, contact.status_at = event["type"], at
                elif rank == known:
                    contact.status_at = max(contact.status_at, at)

    def is_full(self, now: int) -> bool:
        """Marketing has spoken as often as it may."""
        return sum(each.takes_a_place and each.said.at > now - CAP_WINDOW for each in self.contacts) >= CAP

    def knows(self, proposal: Proposal) -> bool:
        """The same was said before."""
        return any(
            (each.proposal.trigger, each.proposal.about, each.proposal.occurrence)
            == (proposal.trigger, proposal.about, proposal.occurrence)
            for each in self.contacts
        )


def _need(contact: Contact, now: int) -> int:
    return 2 if contact.takes_a_place else int(contact.is_open(now))
