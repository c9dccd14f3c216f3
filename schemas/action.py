"""What Pulpero tells the messaging services: an action, or that an action is to be forgotten."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import Meta, field

from schemas.contract import Contract
from schemas.event import Millis, Moment, Product
from schemas.touchpoints.consent import Channel, Purpose

Category = Literal["marketing", "service", "transactional"]

TYPE_ACTION = "pulpero.action.v1"
TYPE_CANCELLED = "pulpero.action_cancelled.v1"
_SOURCE = "/pulpero"


class BusinessKey(Contract):
    """What the action is about: a cart, an order, an item of an order, or the customer as such."""

    kind: Literal["cart", "order", "item", "customer"]
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


class Bilingual(Contract):
    """A text in the two languages that people here read."""

    es: str
    en: str


class Content(Contract):
    """What the message may speak of. `offer_class` is `none`, `help` or the name of a class of offers."""

    products: tuple[Product, ...] = ()
    offer_class: str = "none"
    variant: str = "default"
    facts: dict[str, str] = field(default_factory=dict)
    """Facts for the template: promised dates, totals, step names."""


class Action(Contract):
    """One thing to say to one customer on one channel, from `valid_from` until `expires_at`."""

    action_id: str
    trigger: str
    customer_key: str
    identifiers: dict[str, str]
    business_key: BusinessKey
    purpose: Purpose | Literal["service"]
    category: Category
    channel: Channel
    template_id: str
    locale: str
    time_zone: str
    priority: Annotated[int, Meta(ge=0, le=100)]
    content: Content
    reason_internal: Bilingual
    reason_customer: Bilingual
    by: Literal["machine", "person"] = "machine"
    """`person`: somebody is to do it (a call, a look), not a template."""
    valid_from: Moment
    expires_at: Moment
    decision_id: str


class ActionCancelled(Contract):
    """The action `action_id` became wrong before it was sent; same key, so it follows the action."""

    action_id: str
    trigger: str
    customer_key: str
    channel: Channel
    reason: str
    at: Moment


Outgoing = Action | ActionCancelled
KafkaHeaders = list[tuple[str, bytes]]


def to_kafka(message: Outgoing) -> tuple[bytes, bytes, KafkaHeaders]:
    """Key, value and headers of a record on `actions`: CloudEvents 1.0, Kafka binary content mode.

    Source: CloudEvents "Kafka Protocol Binding" 1.0.2, §3.2; `expirytime` is its documented extension.
    """
    if isinstance(message, Action):
        ce_id, ce_type, time = message.action_id, TYPE_ACTION, message.valid_from
    else:
        ce_id, ce_type, time = f"{message.action_id}-cancelled", TYPE_CANCELLED, message.at
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", ce_id.encode()),
        ("ce_source", _SOURCE.encode()),
        ("ce_type", ce_type.encode()),
        ("ce_time", _rfc3339(time)),
        ("ce_subject", message.trigger.encode()),
        ("content-type", b"application/json"),
        ("channel", message.channel.encode()),
    ]
    if isinstance(message, Action):
        headers.append(("ce_expirytime", _rfc3339(message.expires_at)))
    return message.customer_key.encode(), message.to_json(), headers


def from_kafka(value: bytes, headers: KafkaHeaders) -> Outgoing:
    """The message of a record on `actions`. Raises ValueError for any other `ce_type`."""
    ce_type = dict(headers).get("ce_type", b"").decode()
    if ce_type == TYPE_ACTION:
        return Action.from_json(value)
    if ce_type == TYPE_CANCELLED:
        return ActionCancelled.from_json(value)
    raise ValueError(f"ce_type {ce_type!r} is neither {TYPE_ACTION} nor {TYPE_CANCELLED}")


def moment(at: Millis) -> datetime:
    """Milliseconds since the epoch as an aware datetime in UTC."""
    return datetime.fromtimestamp(at / 1000, UTC)


def _rfc3339(at: datetime) -> bytes:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()
