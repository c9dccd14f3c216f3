"""Rows, candidates and circumstances with sane defaults; time is explicit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.scorer import Features, Score
from schemas.action import Bilingual, BusinessKey
from schemas.customer import Contact, Customer, Permission
from schemas.decision import Condition
from schemas.event import Arrival, Event, Millis
from schemas.policy import Policy
from schemas.touchpoints import BUILT_IN
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances

AT = 1_700_000_000_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
CART = BusinessKey(kind="cart", id="k1")


@dataclass
class Feeds:
    """Touchpoints named here are stale."""

    stale: frozenset[str] = frozenset()

    def is_stale(self, touchpoint: str) -> bool:
        return touchpoint in self.stale


class Alike:
    """A model that says 0.7 of everybody."""

    version = 1

    def score(self, features: Features) -> Score:
        return Score(0.7, self.version)


def circumstances(
    *, contacts: Mapping[str, Any] | None = None, stale: frozenset[str] = frozenset(), paused: str = ""
) -> Circumstances:
    return Circumstances(
        policy=Policy.model_validate({"version": "p1", "contacts": dict(contacts or {})}),
        policy_version="p1",
        scorers={"cart": Alike(), "churn": Alike()},
        feeds=Feeds(stale),
        allowed_lateness_ms={each.name: each.allowed_lateness_ms for each in BUILT_IN},
        paused=frozenset(paused.split()),
    )


_MARKETING = Candidate(
    trigger="abandonment.cart",
    category="marketing",
    business_key=CART,
    occurrence="1",
    at=AT,
    expires_at=AT + 3 * DAY,
    channels=("email", "app"),
    template_id="abandonment.cart",
    priority=50,
    reason_code="cart_left",
    reason_internal=Bilingual(es="Dejó el carrito", en="Left the cart"),
    reason_customer=Bilingual(es="Te guardamos el carrito", en="We kept your cart"),
    conditions=(Condition(name="silence_minutes", value=60, met=True),),
    evidence=("e1",),
    cancels_on=("orders",),
)


def candidate(**changes: Any) -> Candidate:
    return _MARKETING._replace(**changes)


def scored(**changes: Any) -> Candidate:
    given: dict[str, Any] = {
        "score": 0.7,
        "model": "cart",
        "model_version": 3,
        "features": {"value": 1.0},
        "horizon_ms": 7 * DAY,
    }
    return candidate(**{**given, **changes})


def customer(*allowed: str) -> Customer:
    """A customer who granted these purposes (`profiling`, `marketing`, `marketing/email` …)."""
    row = Customer(key="c:1")
    for purpose in allowed:
        row.consent[purpose] = Permission("granted", AT - DAY, "form 1")
    return row


def contact(at: Millis, **changes: Any) -> Contact:
    given: dict[str, Any] = {
        "action_id": f"a{at}",
        "trigger": "abandonment.cart",
        "business_key": "cart:k1",
        "channel": "email",
        "category": "marketing",
        "at": at,
        "expires_at": at + 3 * DAY,
        "status_at": at,
    }
    return Contact(**{**given, **changes})


def arrival(event: Event, touchpoint: str, at: Millis, offset: int = 0) -> Arrival:
    return Arrival(
        event=event,
        at=at,
        touchpoint=touchpoint,
        topic=f"touchpoints.{touchpoint}",
        offset=offset,
        key=b"c:1",
        appended_at=at,
    )
