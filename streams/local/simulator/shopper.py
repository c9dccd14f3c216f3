"""A customer of the simulated shop: traits that nobody sees, and events in the shape of our contract."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from schemas.event import Millis
from streams.local.replayed import Replayed, iso
from streams.local.simulator.catalogue import Good
from streams.local.simulator.truth import Truth

SOURCE = "simulator"
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
_HOMES = (("es-ES", "Europe/Madrid"), ("es-MX", "America/Mexico_City"), ("en-GB", "Europe/London"))


@dataclass(slots=True)
class Shopper:
    """Traits: days between visits, how likely a visit buys, how likely each purchase was the last."""

    customer_id: str
    rng: Random
    goods: tuple[Good, ...]
    truth: Truth
    locale: str
    time_zone: str
    device: str
    days_between_visits: float
    buys: float
    leaves_for_good: float
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def key(self) -> str:
        """The key of this customer's records."""
        return f"c:{self.customer_id}"

    def event(self, touchpoint: str, at: Millis, kind: str, **fields: Any) -> Replayed:
        """The customer's next event; ids count up in the order in which events are made."""
        payload = {
            "event_id": f"{self.customer_id}-{next(self._numbers)}",
            "type": kind,
            "event_time": iso(at),
            "customer_id": self.customer_id,
            "source": SOURCE,
            "context": {"locale": self.locale, "time_zone": self.time_zone, "device": self.device},
            **fields,
        }
        return Replayed(touchpoint, self.key, at, payload)


def draw_shopper(customer_id: str, rng: Random, goods: tuple[Good, ...], truth: Truth) -> Shopper:
    """A customer whose traits are drawn from `rng`, which becomes the customer's own."""
    locale, time_zone = rng.choice(_HOMES)
    return Shopper(
        customer_id=customer_id,
        rng=rng,
        goods=goods,
        truth=truth,
        locale=locale,
        time_zone=time_zone,
        device=rng.choice(("mobile", "desktop", "tablet")),
        days_between_visits=rng.gammavariate(2.0, 2.0) + 0.5,
        buys=rng.betavariate(3.0, 4.0),
        leaves_for_good=rng.betavariate(1.0, 9.0),
    )


def consents(shopper: Shopper, at: Millis) -> list[Replayed]:
    """What the customer answers when asked: most grant, some deny, a few say nothing."""
    answers = []
    for purpose, grants, denies in (("profiling", 0.85, 0.10), ("marketing", 0.75, 0.20)):
        drawn = shopper.rng.random()
        if drawn < grants + denies:
            status = "granted" if drawn < grants else "denied"
            answers.append(consent(shopper, at, status, purpose))
    return answers


def consent(shopper: Shopper, at: Millis, status: str, purpose: str) -> Replayed:
    """One answer."""
    return shopper.event("consent", at, status, purpose=purpose, evidence="simulated form, version 1")
