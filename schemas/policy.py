"""The policy: every number a shop may choose. Defaults are the field's; durations are written like `45m`."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from schemas.event import Millis
from schemas.touchpoints.consent import Channel
from schemas.zones import is_zone

_UNITS: dict[str, Millis] = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def _duration(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("a duration is a number with a unit: 500ms, 5s, 45m, 2h, 30d")
    found = re.fullmatch(r"(\d+)\s*(ms|s|m|h|d)", value.strip())
    if found is None:
        raise ValueError("a duration is a number with a unit: 500ms, 5s, 45m, 2h, 30d")
    return int(found[1]) * _UNITS[found[2]]


def _zone(name: str) -> str:
    if not is_zone(name):
        raise ValueError("there is no such time zone; one is named like Europe/Madrid")
    return name


Duration = Annotated[Millis, BeforeValidator(_duration)]
"""A duration of the policy: text with a unit in the file, ms in the code."""

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Channels = Annotated[tuple[Channel, ...], Field(min_length=1, max_length=6)]
"""Channels in order of preference; the first that the customer allows is taken."""

_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000


class Section(BaseModel):
    """A part of the policy. A field it does not know is an error: a typo must not be silent."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Time(Section):
    """Event time."""

    grace: Duration = 5_000
    """How far the timer clock stays behind stream time."""
    max_ahead: Duration = 600_000
    """An event further ahead of the wall clock is refused."""
    default_zone: Annotated[str, AfterValidator(_zone)] = "UTC"


class Contacts(Section):
    """How often marketing may speak to one customer, and how held candidates are looked at again."""

    cap: int = Field(default=3, ge=0, le=20)
    """Marketing contacts in any `cap_window`; well below what the ledger remembers (MAX_CONTACTS)."""
    cap_window: Duration = Field(default=7 * 86_400_000, gt=0)
    held_retry: Duration = Field(default=60_000, ge=1_000)
    """How long a candidate that is paused, feed-stale or in a storm waits before it is looked at again."""
    late_item_retry: Duration = Field(default=3_600_000, ge=1_000)
    """The same for marketing that waits while an item is late: deliveries change by the hour."""
    default_locale: str = Field(default="es", min_length=2, max_length=35)
    """For customers whose language is not known."""


class Abandonment(Section):
    """Something was wanted and left. Source of the defaults: Shopify, Wix and Snowplow wait 30 to 60 min."""

    browse_after: Duration = Field(default=45 * _MINUTE, gt=0)
    cart_after: Duration = Field(default=60 * _MINUTE, gt=0)
    checkout_after: Duration = Field(default=60 * _MINUTE, gt=0)
    """Silence after which browsing, a cart, a checkout counts as left."""
    browse_products: int = Field(default=2, ge=1, le=20)
    """So many products looked at make browsing worth a word."""
    give_up: Duration = Field(default=72 * _HOUR, gt=0)
    """Left for longer than this, it is not spoken of any more, and what is left later is a new case."""
    channels: Channels = ("email", "app", "site", "sms")


class ChurnRisk(Section):
    """A silence that is long for this customer. `…_cadence` is in multiples of the customer's own rhythm."""

    default_cadence: Duration = Field(default=30 * _DAY, gt=0)
    """The rhythm of a customer of whom only one purchase is known."""
    first_look_cadence: float = Field(default=1.5, ge=0.5, le=20, allow_inf_nan=False)
    step_cadence: float = Field(default=0.25, gt=0, le=20, allow_inf_nan=False)
    min_step: Duration = Field(default=_DAY, ge=_HOUR)
    last_look_cadence: float = Field(default=8.0, ge=0.5, le=100, allow_inf_nan=False)
    """Beyond this the customer is gone, and not at risk any more."""
    threshold: Share = 0.6
    release: Share = 0.4
    """A lapse begins at `threshold` and is over below `release`; what lies between changes nothing."""
    valid_for: Duration = Field(default=7 * _DAY, gt=0)
    channels: Channels = ("email", "app", "sms")

    @model_validator(mode="after")
    def _ordered(self) -> "ChurnRisk":
        if self.release >= self.threshold:
            raise ValueError(f"release ({self.release}) must be below threshold ({self.threshold})")
        if self.last_look_cadence <= self.first_look_cadence:
            raise ValueError("last_look_cadence must be above first_look_cadence")
        return self


class PostPurchase(Section):
    """What is said after an order: about its items, each thing once."""

    gather: Duration = 10 * _MINUTE
    """News of several items of one order that come within this time make one message."""
    delivered_check_after: Duration = Field(default=_DAY, gt=0)
    """How long after the promised date an item that has not arrived is asked about."""
    usual_delivery: Duration = Field(default=7 * _DAY, gt=0)
    """Stands for the promised date, from the shipment on, where none was given."""
    mismatch_after: Duration = Field(default=_DAY, gt=0)
    """How long a delivery may still be completed before a wrong quantity is a person's case."""
    how_was_it_after: Duration = Field(default=5 * _DAY, gt=0)
    cross_sell_after: Duration = Field(default=14 * _DAY, gt=0)
    """Counted from the last delivery of the order."""
    replenishment_together: Duration = Field(default=_DAY, gt=0)
    """Products that run out within this time share one message."""
    valid_for: Duration = Field(default=3 * _DAY, gt=0)
    channels: Channels = ("email", "app", "sms")


class Feeds(Section):
    """When a touchpoint is abnormally quiet (formula: streams/triggers/feeds.py)."""

    chance: float = Field(default=1e-4, gt=0, lt=0.5, allow_inf_nan=False)
    """A quiet that a healthy feed would show with less than this probability is a stale feed."""
    catch_up: Duration = Field(default=10 * _MINUTE, gt=0)
    """It is fresh again once its events are no further behind stream time. Not below `time.max_ahead`."""
    min_history: int = Field(default=20, ge=2, le=10_000)
    """Events of a touchpoint before anything is said of its quiet."""


class Storms(Section):
    """When a trigger fires so much that it is held until a person releases it (streams/triggers/storms.py)."""

    window: Duration = Field(default=_HOUR, ge=1_000)
    """Firings are counted by windows of this length, in event time."""
    limit: int = Field(default=100_000, ge=1)
    """So many firings of one trigger in a window, over the whole deployment, are a storm whatever is usual."""
    factor: float = Field(default=10.0, ge=1, le=1_000_000, allow_inf_nan=False)
    """And so are more than this multiple of what it usually fires in a window."""
    min_history: int = Field(default=24, ge=1, le=100_000)
    """Completed windows since its first firing before `factor` says anything."""
    min_count: int = Field(default=500, ge=1)
    """Fewer firings than this in a window, over the whole deployment, are no storm by `factor`."""


class Policy(Section):
    """Everything."""

    version: str = Field(min_length=1, max_length=64)
    time: Time = Time()
    contacts: Contacts = Contacts()
    abandonment: Abandonment = Abandonment()
    churn_risk: ChurnRisk = ChurnRisk()
    post_purchase: PostPurchase = PostPurchase()
    feeds: Feeds = Feeds()
    storms: Storms = Storms()
