"""A shop's own touchpoint, whole: what its stores see of customers who show their loyalty card.

    export PYTHONPATH=deploy/examples PULPERO_TOUCHPOINTS='["store_visits"]'
    pulpero topics create       # also makes touchpoints.store_visits
    pulpero worker

Its events are validated, dead-lettered, merged with the other touchpoints' and counted like theirs, and each is an
act of the customer: it moves last seen, sessions and counts. `contract check` and `replay` know them too.
"""

from schemas.event import Amount, Event, Identifier, Product
from schemas.touchpoints.touchpoint import Touchpoint


class VisitStarted(Event, tag="visit_started"):
    """The customer came in and showed the card at the door or at a screen."""

    store_id: Identifier


class AdviceGiven(Event, tag="advice_given"):
    """Somebody of the store spoke with the customer about a product."""

    store_id: Identifier
    product: Product


class VisitEnded(Event, tag="visit_ended"):
    """The customer left; `spent` is 0 without a purchase."""

    store_id: Identifier
    spent: Amount = 0.0


StoreVisitEvent = VisitStarted | AdviceGiven | VisitEnded

TOUCHPOINT = Touchpoint(name="store_visits", event=StoreVisitEvent, allowed_lateness_ms=86_400_000)
"""Stores send once an hour, and at night what a broken line kept back: a day late is still in time."""
