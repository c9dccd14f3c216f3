"""The envelope that all touchpoints share, and the key that an event travels under."""

from datetime import datetime, timedelta
from functools import cache
from typing import Annotated, Any, get_args

import msgspec
from msgspec import Meta
from pydantic import Strict

from schemas.contract import Contract
from schemas.redaction import without_locations

Millis = int
"""Milliseconds since the Unix epoch, UTC. The only form of time inside the core."""

Identifier = Annotated[str, Meta(min_length=1, max_length=128)]
Digest = Annotated[str, Meta(max_length=64, pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Meta(max_length=1024)]
Amount = Annotated[float, Meta(ge=0, le=1e9)]
Quantity = Annotated[float, Meta(ge=0.001, le=1e6)]
Currency = Annotated[str, Meta(max_length=3, pattern=r"^[A-Z]{3}$")]
Moment = Annotated[datetime, Meta(tz=True)]
"""A moment with its offset from UTC; in JSON the text of RFC 3339."""

EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
END = datetime.fromisoformat("2200-01-01T00:00:00+00:00")
_MILLISECOND = timedelta(milliseconds=1)

KEY_PREFIXES: tuple[tuple[str, str], ...] = (
    ("customer_id", "c:"),
    ("loyalty_card", "l:"),
    ("email_hash", "e:"),
    ("phone_hash", "t:"),
    ("device_id", "d:"),
    ("anonymous_id", "a:"),
)
"""Fields that can identify a customer, strongest first, and the prefix of the key each one makes."""


def check_moment(moment: datetime) -> None:
    """Raises ValueError for a moment that an event cannot mean: before 1970, or after the end of 2199."""
    if not EPOCH <= moment <= END:
        raise ValueError("a moment is between 1970 and 2200")


def check_moments(told: Contract) -> None:
    """`check_moment` for every field of a contract that is a Moment and given: msgspec has no bound for them."""
    for name in _moments(type(told)):
        moment = getattr(told, name)
        if moment is not None:
            check_moment(moment)


@cache
def _moments(contract: type[Contract]) -> tuple[str, ...]:
    fields = msgspec.structs.fields(contract)
    return tuple(each.name for each in fields if each.type == Moment or Moment in get_args(each.type))


class Campaign(Contract):
    """Where a visit came from (Segment's `context.campaign`)."""

    name: Text | None = None
    source: Text | None = None
    medium: Text | None = None


class Context(Contract):
    """Circumstances of an event. Addresses and coordinates are not fields: they are dropped on arrival."""

    locale: Annotated[str, Meta(max_length=35)] | None = None
    time_zone: Annotated[str, Meta(max_length=64)] | None = None
    device: Annotated[str, Meta(max_length=64)] | None = None
    campaign: Campaign | None = None
    consent: dict[str, bool] | None = None
    """Consent as the source saw it, by purpose. It can forbid, it never grants."""


class Product(Contract):
    """One product as an event names it."""

    product_id: Identifier
    name: Text | None = None
    category: Text | None = None
    brand: Text | None = None
    variant: Text | None = None
    price: Amount | None = None
    quantity: Quantity = 1.0


class UnknownFields(int):
    """How many fields an event came with that its contract does not know. No JSON is one."""


_NONE_UNKNOWN = UnknownFields(0)


class Event(Contract, forbid_unknown_fields=True, omit_defaults=True):
    """What every event of every touchpoint says. A class's tag is its `type` in JSON.

    `event_time` is when it happened by the producer's clock, `sent_at` when that same clock sent it; together
    with the moment of receipt they correct the clock (`happened_at`). No moment is before 1970 or after 2199. Fields
    that the plain form forbids are dropped by the lenient reader, and counted.
    """

    event_id: Identifier
    event_time: Moment
    sent_at: Moment | None = None
    customer_id: Identifier | None = None
    loyalty_card: Identifier | None = None
    email_hash: Digest | None = None
    phone_hash: Digest | None = None
    device_id: Identifier | None = None
    anonymous_id: Identifier | None = None
    session_id: Identifier | None = None
    source: Identifier
    schema_version: Annotated[int, Meta(ge=1), Strict()] = 1
    context: Context | None = None
    unknown_fields: UnknownFields = _NONE_UNKNOWN

    def to_json(self) -> bytes:
        """The event in its plain form."""
        return Contract.to_json(self.replace(unknown_fields=_NONE_UNKNOWN))

    def __post_init__(self) -> None:
        check_moments(self)


class Custom(Event):
    """An event that its producer named freely; it counts as activity and nothing else."""

    name: Text
    properties: dict[str, Any] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        msgspec.structs.force_setattr(self, "properties", without_locations(self.properties))


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """An event that passed validation, with where and when it came in.

    `at` is the event time after clock correction, `appended_at` the record's timestamp; both in ms. `value`
    are the bytes it was read from.
    """

    event: Event
    at: Millis
    touchpoint: str
    topic: str
    offset: int
    key: bytes
    appended_at: Millis
    value: bytes = b""


def customer_key(event: Event) -> str | None:
    """The key of the strongest identifier that the event carries, with its prefix; None if it has none."""
    for field, prefix in KEY_PREFIXES:
        value = getattr(event, field)
        if value is not None:
            return f"{prefix}{value}"
    return None


def types_of(event: type[Event]) -> tuple[str, ...]:
    """What `type` may be in the JSON of this class: its tag, or what its own field `type` allows."""
    tag = event.__struct_config__.tag
    if tag is not None:
        return (str(tag),)
    return tuple(
        name
        for field in msgspec.structs.fields(event)
        if field.name == "type"
        for name in get_args(field.type)
    )


def type_of(event: Event) -> str:
    """What `type` says in the event's JSON."""
    return str(getattr(event, "type", event.__struct_config__.tag))


def to_millis(moment: datetime) -> Millis:
    """An aware moment in ms since the epoch, rounded down; exact, unlike a float of seconds."""
    return (moment - EPOCH) // _MILLISECOND


def happened_at(event: Event, received_at: Millis) -> Millis:
    """Event time in ms after Segment's clock correction: received - (sent - original).

    Without `sent_at` the producer's clock is believed. Never before 1970, whatever the clocks said.
    Source: Segment, "Spec: Common Fields", `timestamp`.
    """
    original = to_millis(event.event_time)
    if event.sent_at is None:
        return original
    return max(0, received_at - (to_millis(event.sent_at) - original))
