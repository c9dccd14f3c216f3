"""One customer of a shop, driven as a task drives a row: timers first, then the fold, then the triggers."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from models.scorer import Features, Score
from schemas.customer import Customer, Held, Permission
from schemas.event import Arrival, Event, Millis
from schemas.policy import Policy
from schemas.touchpoints import BUILT_IN
from streams.customers.fold import fold
from streams.triggers import families
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances

START: Millis = 1_700_000_000_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
LATENESS = {each.name: each.allowed_lateness_ms for each in BUILT_IN}
_CONTRACTS = {each.name: each.event for each in BUILT_IN}


class Fresh:
    """No feed is stale: what a stale one means is the gates' affair."""

    def is_stale(self, touchpoint: str) -> bool:
        return False


@dataclass
class Says:
    """A model that says `p` of everybody, and keeps what it was shown."""

    p: float
    version: int = 7
    shown: list[Features] = field(default_factory=list)

    def score(self, features: Features) -> Score:
        self.shown.append(features)
        return Score(self.p, self.version)


class Shop:
    """A customer, what was proposed so far, and the moment, ms after START."""

    def __init__(self, *, profiling: bool = True, **sections: Any) -> None:
        self.row = Customer(key="c:ana")
        self.cart_model, self.churn_model = Says(0.3), Says(0.9)
        self.circumstances = Circumstances(
            policy=Policy.model_validate({"version": "t", **sections}),
            policy_version="t",
            scorers={"cart": self.cart_model, "churn": self.churn_model},
            feeds=Fresh(),
            allowed_lateness_ms=LATENESS,
        )
        if profiling:
            self.row.consent["profiling"] = Permission("granted", START, "form-1")
        self.proposed: list[Candidate] = []
        self._events = 0
        self._stream_time = 0

    def happens(self, after: Millis, touchpoint: str, type_: str, **fields: Any) -> list[Candidate]:
        """An event `after` ms from START; returns what it proposes itself."""
        self._events += 1
        data = {
            "event_id": f"e{self._events}",
            "type": type_,
            "event_time": "2023-11-14T22:13:20Z",
            "customer_id": "ana",
            "source": "test",
            **fields,
        }
        return self.takes(msgspec.convert(data, _CONTRACTS[touchpoint]), after, touchpoint)

    def takes(self, event: Event, after: Millis, touchpoint: str) -> list[Candidate]:
        """A ready event, as a task takes it: timers that are due before it ring first."""
        at = START + after
        self._ring(at - 1)
        self._stream_time = max(self._stream_time, at)
        arrival = Arrival(event, at, touchpoint, f"touchpoints.{touchpoint}", self._events, b"c:ana", at)
        if fold(self.row, arrival, self._stream_time, LATENESS) != "applied":
            return []
        found = [
            candidate
            for react in families.reactions(type(arrival.event))
            for candidate in react(self.row, arrival, self.circumstances)
        ]
        self.proposed += found
        return found

    def until(self, after: Millis) -> list[Candidate]:
        """Every timer due up to `after`, ms from START, that moment included; returns what they propose."""
        return self._ring(START + after)

    def recheck(self, candidate: Candidate, after: Millis) -> Candidate | None:
        """The candidate looked at again, as if it had been held since it arose."""
        return families.recheck(self.row, _held(candidate), START + after, self.circumstances)

    def hold(self, candidate: Candidate) -> None:
        """The candidate waits in the row."""
        self.row.held.append(_held(candidate))

    @property
    def triggers(self) -> list[str]:
        """The names of all that was proposed, in order."""
        return [each.trigger for each in self.proposed]

    def _ring(self, up_to: Millis) -> list[Candidate]:
        found: list[Candidate] = []
        while due := [(at, name) for name, at in self.row.timers.items() if at <= up_to]:
            at, name = min(due)
            del self.row.timers[name]
            found += families.ring(self.row, name, at, self.circumstances)
            assert self.row.timers.get(name, at + 1) > at, f"{name} was set again for a moment not later"
        self.proposed += found
        return found


def _held(candidate: Candidate) -> Held:
    key = str(candidate.business_key)
    return Held(candidate.trigger, key, "paused", candidate.at, candidate.expires_at, "d1")


def product(product_id: str = "p1", **fields: Any) -> dict[str, Any]:
    """A product as an event names it."""
    return {"product_id": product_id, "name": f"Product {product_id}", "price": 10.0, **fields}
