"""What the simulator knows and the events do not say: the ground truth for tests."""

from dataclasses import dataclass, field
from typing import Literal

from schemas.event import Millis

Cause = Literal[
    "payment_failed", "out_of_stock", "shipping_cost", "coupon_refused", "form_error", "just_browsing"
]
"""Why a cart was left."""


@dataclass(slots=True)
class Truth:
    """Filled while events are drawn, ahead of them by at most one visit a customer."""

    causes: dict[str, Cause] = field(default_factory=dict)
    """Cart id → why it was left, for each cart left for an hour or longer."""
    recovered: set[str] = field(default_factory=set)
    """Ids of left carts that became an order after all."""
    lapses: dict[str, Millis] = field(default_factory=dict)
    """Customer key → when this customer stopped for good; who is missing has not stopped."""
    broken_promises: set[str] = field(default_factory=set)
    """Ids of orders of which a delivery differed from what was promised."""
