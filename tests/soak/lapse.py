"""A shop's time lapse: its day passes in seconds, in the wall's time, so that rows are old within minutes.

As a shop's module (PULPERO_AGENTS) it makes a worker measure by that day: every constant of time that a row or a
feature is made with. What the machine is measured by (grace, session, queues, commits) stays as it is.
"""

import os
from types import ModuleType

from models import bgnbd, cart_features, churn_features, transforms
from schemas import counts as tiers
from schemas.event import Millis
from schemas.touchpoints import load
from streams.customers import cart, counts, portrait, purchases, seen, sessions
from streams.triggers import abandonment_candidates, churn_risk, order_news, replenishment

DAY: Millis = 86_400_000
SHOP_DAY = "PULPERO_SOAK_DAY_MS"
"""Environment: how long the shop's day is, ms of the wall's time."""

LATENESS = "PULPERO_SOAK_LATENESS_MS"
"""Environment: nothing may be later than this, so that the window of event ids is full within the warm-up."""

_CONSTANTS: tuple[tuple[ModuleType, tuple[str, ...]], ...] = (
    (tiers, ("HOUR", "DAY")),
    (portrait, ("HOUR", "DAY")),
    (transforms, ("DAY",)),
    (bgnbd, ("WEEK_MS",)),
    (cart_features, ("DAY", "CART_HORIZON_MS")),
    (churn_features, ("DAY", "CHURN_HORIZON_MS")),
    (abandonment_candidates, ("CART_HORIZON_MS",)),
    (churn_risk, ("_DAY", "CHURN_HORIZON_MS")),
    (order_news, ("_DAY",)),
    (replenishment, ("_DAY", "_LONGEST")),
    (purchases, ("_DAY",)),
    (cart, ("CART_IDLE",)),
    (sessions, ("SESSION_GAP",)),
)


def register(app: object) -> None:
    """Measure by the environment's day."""
    day = int(os.environ[SHOP_DAY])
    for module, names in _CONSTANTS:
        for name in names:
            setattr(module, name, lapsed(getattr(module, name), day))
    tiers.TIERS = tuple(
        tier._replace(width=lapsed(tier.width, day), longest=lapsed(tier.longest, day))
        for tier in tiers.TIERS
    )
    counts._TIERS_OF = {
        kind: tuple((kind + tier.suffix, tier.width, tier.keep) for tier in tiers.TIERS)
        for kind in tiers.KINDS
    }
    allowed = int(os.environ[LATENESS])
    seen._SLACK = allowed // 5
    for touchpoint in load():
        lateness = min(touchpoint.allowed_lateness_ms, allowed)
        object.__setattr__(touchpoint, "allowed_lateness_ms", lateness)


def environment(day: Millis, lateness: Millis) -> dict[str, str]:
    """What tells a worker."""
    return {SHOP_DAY: str(day), LATENESS: str(lateness)}


def lapsed(span: Millis, day: Millis) -> Millis:
    """So long of the shop's time, in the wall's."""
    return max(1, span * day // DAY)


def policy(day: Millis) -> dict[str, object]:
    """The default policy by that day. Storms are no part of this: a time lapse is one from beginning to end."""

    def span(days: float, least: Millis = 1) -> str:
        return f"{max(least, lapsed(round(days * DAY), day))}ms"

    hour = 1 / 24
    return {
        "version": "soak",
        "time": {"grace": "1s"},
        "contacts": {
            "cap_window": span(7),
            "held_retry": span(hour / 60, 1_000),
            "late_item_retry": span(hour, 1_000),
        },
        "abandonment": {
            "browse_after": span(hour * 0.75),
            "cart_after": span(hour),
            "checkout_after": span(hour),
            "give_up": span(3),
        },
        "churn_risk": {"default_cadence": span(30), "valid_for": span(7)},
        "post_purchase": {
            "gather": span(hour / 6),
            "delivered_check_after": span(1),
            "usual_delivery": span(7),
            "mismatch_after": span(1),
            "how_was_it_after": span(5),
            "cross_sell_after": span(14),
            "replenishment_together": span(1),
            "valid_for": span(3),
        },
        "storms": {"window": "10s", "limit": 1_000_000_000, "min_count": 1_000_000},
    }
