"""The envelope that all touchpoints share, and the key that an event travels under."""

from datetime import datetime, timedelta
from typing import Annotated, Any, NamedTuple

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from schemas.redaction import without_locations

Millis = int
"""Milliseconds since the Unix epoch, UTC. The only form of time inside the core."""

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128, strip_whitespace=True)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, StringConstraints(max_length=1024)]
Amount = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Quantity = Annotated[float, Field(ge=0.001, le=1e6, allow_inf_nan=False)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class _Written:
    """In JSON a moment is text: a number could be seconds or milliseconds, nobody should have to guess."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        moment = handler(source)
        text = core_schema.chain_schema([core_schema.str_schema(min_length=_SHORTEST_MOMENT), moment])
        return core_schema.json_or_python_schema(json_schema=text, python_schema=moment)


class _Dropped:
    """Any value becomes None: what is not in the contract is not kept, only its name is."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_default_schema(core_schema.none_schema(), default=None, on_error="default")

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {}


_SHORTEST_MOMENT = len("2026-01-01T00:00Z")
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_END = datetime.fromisoformat("2200-01-01T00:00:00+00:00")
_MILLISECOND = timedelta(milliseconds=1)

Moment = Annotated[
    AwareDatetime,
    Field(ge=_EPOCH, le=_END),
    _Written(),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment with its offset from UTC, from 1970 to the end of 2199; in JSON the text of RFC 3339."""

KEY_PREFIXES: tuple[tuple[str, str], ...] = (
    ("customer_id", "c:"),
    ("loyalty_card", "l:"),
    ("email_hash", "e:"),
    ("phone_hash", "t:"),
    ("device_id", "d:"),
    ("anonymous_id", "a:"),
)
"""Fields that can identify a customer, strongest first, and the prefix of the key each one makes."""


class Contract(BaseModel):
    """A value of the contract: frozen; fields that it does not know are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Campaign(Contract):
    """Where a visit came from (Segment's `context.campaign`)."""

    name: Text | None = None
    source: Text | None = None
    medium: Text | None = None


class Context(Contract):
    """Circumstances of an event. Addresses and coordinates are not fields: they are dropped on arrival."""

    locale: Annotated[str, StringConstraints(max_length=35)] | None = None
    time_zone: Annotated[str, StringConstraints(max_length=64)] | None = None
    device: Annotated[str, StringConstraints(max_length=64)] | None = None
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


class Event(BaseModel):
    """What every event of every touchpoint says. Of unknown fields only the names are kept, to be counted.

    `event_time` is when it happened by the producer's clock, `sent_at` when that same clock sent it; together
    with the moment of receipt they correct the clock (`happened_at`).
    """

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)
    __pydantic_extra__: dict[str, Annotated[None, _Dropped()]]

    event_id: Identifier
    type: str
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
    schema_version: Annotated[int, Field(strict=True, ge=1)] = 1
    context: Context | None = None


class Custom(Event):
    """An event that its producer named freely; it counts as activity and nothing else."""

    name: Text
    properties: Annotated[dict[str, Any], AfterValidator(without_locations)] = Field(default_factory=dict)


class Arrival(NamedTuple):
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


def unknown_fields(event: Event) -> int:
    """How many fields the event came with that its contract does not know."""
    return len(event.__pydantic_extra__)


def to_millis(moment: datetime) -> Millis:
    """An aware moment in ms since the epoch, rounded down; exact, unlike a float of seconds."""
    return (moment - _EPOCH) // _MILLISECOND


def happened_at(event: Event, received_at: Millis) -> Millis:
    """Event time in ms after Segment's clock correction: received - (sent - original).

    Without `sent_at` the producer's clock is believed. Never before 1970, whatever the clocks said.
    Source: Segment, "Spec: Common Fields", `timestamp`.
    """
    original = to_millis(event.event_time)
    if event.sent_at is None:
        return original
    return max(0, received_at - (to_millis(event.sent_at) - original))
