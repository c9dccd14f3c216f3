"""Segment's e-commerce spec v2, read unchanged: each payload says the same as one event of `web` or `orders`.

Source: Segment, "Spec: V2 Ecommerce Events" and "Spec: Common Fields".
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from schemas.dead_letter import ReasonCode
from schemas.rejection import segment_source
from schemas.upcasts import Payload

Names = Mapping[str, tuple[str, ...]]
"""Our field → Segment's properties that may hold it, the best first."""


class Reading(NamedTuple):
    """How one of Segment's events is read. `products` names our field for `properties.products`."""

    touchpoint: Literal["web", "orders"]
    type: str
    names: Names
    products: str | None = None
    is_product: bool = False
    fixed: Mapping[str, str] = {}


class Untranslatable(ValueError):
    """The payload is no Segment message; says at which of its fields."""

    def __init__(self, reason: ReasonCode, pointer: str, message: str) -> None:
        super().__init__(message)
        self.reason: ReasonCode = reason
        self.pointer = pointer
        self.message = message


_PRODUCT: Names = {
    "product_id": ("product_id", "sku", "id"),
    "name": ("name",),
    "category": ("category",),
    "brand": ("brand",),
    "variant": ("variant",),
    "price": ("price",),
    "quantity": ("quantity",),
}
_CART: Names = {"cart_id": ("cart_id",), "currency": ("currency",)}
_STEP: Names = {**_CART, "step": ("step",)}
_ORDER: Names = {"order_id": ("order_id",)}
_TOTAL = ("total", "revenue", "value")

_TRACKED: dict[str, Reading] = {
    "products searched": Reading("web", "searched", {"query": ("query",), "results": ("results",)}),
    "product viewed": Reading("web", "product_viewed", {}, is_product=True),
    "product added": Reading("web", "product_added", _CART, is_product=True),
    "product removed": Reading("web", "product_removed", _CART, is_product=True),
    "cart viewed": Reading("web", "cart_viewed", _CART, "products"),
    "checkout started": Reading(
        "web", "checkout_started", {**_CART, "value": ("value", "revenue", "total")}, "products"
    ),
    "checkout step viewed": Reading("web", "checkout_step_viewed", _STEP),
    "checkout step completed": Reading("web", "checkout_step_completed", _STEP),
    "payment info entered": Reading("web", "checkout_step_completed", _CART, fixed={"step": "payment"}),
    "coupon denied": Reading(
        "web",
        "coupon_refused",
        {**_CART, "coupon": ("coupon_id", "coupon_name", "coupon"), "reason": ("reason",)},
    ),
    "order completed": Reading("orders", "order_placed", {**_ORDER, **_CART, "total": _TOTAL}, "items"),
    "order updated": Reading("orders", "order_updated", {**_ORDER, "total": _TOTAL}, "items"),
    "order refunded": Reading("orders", "order_refunded", {**_ORDER, "amount": _TOTAL}),
    "order cancelled": Reading("orders", "order_cancelled", {**_ORDER, "reason": ("reason",)}),
}
_SHOWN = Reading("web", "page_viewed", {"path": ("path", "url"), "title": ("title", "name")})
_CUSTOM = Reading("web", "custom", {})
_IDENTIFIERS = {"product_id", "order_id", "cart_id", "step", "coupon"}


def translate(payload: Payload) -> tuple[Literal["web", "orders"], Payload]:
    """The touchpoint whose event the payload is, and that event's payload, not validated yet.

    `sentAt` corrects the clock only where Segment has not done so already: `originalTimestamp` beside
    `timestamp` is the mark that it has. An event not in the spec, `identify`, `group` and `alias` become
    `custom`. Properties without a place in the contract leave their names, to be counted.
    Raises Untranslatable.
    """
    kind = payload.get("type") or "track"
    properties = _object(payload.get("properties"), "/properties")
    if kind == "track":
        name = payload.get("event")
        if name is None:
            raise Untranslatable("missing_field", "/event", "Field required")
        reading = _TRACKED.get(name.strip().lower(), _CUSTOM) if isinstance(name, str) else _CUSTOM
    elif kind in ("page", "screen"):
        name, reading = payload.get("name"), _SHOWN
        properties = {**_page(payload), "title": name, **properties}
    elif kind in ("identify", "group", "alias"):
        name, reading, properties = kind, _CUSTOM, {}
    else:
        raise Untranslatable(
            "unknown_type", "/type", "the type is one of: track, page, screen, identify, group, alias"
        )
    fields = {"name": name, "properties": properties} if reading is _CUSTOM else _fields(reading, properties)
    return reading.touchpoint, {**_envelope(payload), "type": reading.type, **fields}


def original_pointer(pointer: str, payload: Payload) -> str:
    """Where the field that `pointer` names in the translated event stands in Segment's payload."""
    head, _, rest = pointer.removeprefix("/").partition("/")
    rest = f"/{rest}" if rest else ""
    if not head:
        return ""
    if head == "context":
        return "/context" + _CONTEXT_POINTERS.get(rest, rest)
    if head == "event_time":
        return f"/{_time_field(payload)}"
    if head in _ENVELOPE_POINTERS:
        return _ENVELOPE_POINTERS[head] + rest
    if head in ("items", "products"):
        return f"/properties/products{rest}"
    return f"/properties{rest}" if head == "product" else f"/properties/{head}{rest}"


_ENVELOPE_POINTERS = {
    "event_id": "/messageId",
    "customer_id": "/userId",
    "anonymous_id": "/anonymousId",
    "sent_at": "/sentAt",
    "name": "/event",
    "properties": "/properties",
}
_CONTEXT_POINTERS = {
    "/time_zone": "/timezone",
    "/device": "/device/type",
    "/consent": "/consent/categoryPreferences",
}


def _fields(reading: Reading, properties: Payload) -> Payload:
    fields: Payload = {**_picked(properties, reading.names), **reading.fixed}
    used = {name for names in reading.names.values() for name in names}
    if reading.is_product:
        fields["product"] = _picked(properties, _PRODUCT)
        used |= {name for names in _PRODUCT.values() for name in names}
    if reading.products and properties.get("products") is not None:
        products = properties["products"]
        fields[reading.products] = _products(products) if isinstance(products, list) else products
        used.add("products")
    return fields | {f"properties.{name}": None for name in properties if name not in used}


def _products(products: list[Any]) -> list[Any]:
    return [_picked(each, _PRODUCT) if isinstance(each, dict) else each for each in products]


def _picked(properties: Payload, names: Names) -> Payload:
    """Our fields, each from its first property that is not null; identifiers always as text."""
    fields: Payload = {}
    for field, candidates in names.items():
        value = next((properties[each] for each in candidates if properties.get(each) is not None), None)
        if value is None:
            continue
        if field in _IDENTIFIERS and type(value) is int:
            value = str(value)
        fields[field] = value.upper() if field == "currency" and isinstance(value, str) else value
    return fields


def _envelope(payload: Payload) -> Payload:
    context = payload.get("context")
    user = payload.get("userId")
    envelope = {
        "event_id": payload["messageId"],
        "customer_id": str(user) if type(user) is int else user,
        "anonymous_id": payload.get("anonymousId"),
        "event_time": payload.get(_time_field(payload)),
        "sent_at": None if _is_corrected(payload) else payload.get("sentAt"),
        "source": segment_source(context),
        "context": _context(context) if isinstance(context, dict) else context,
    }
    return {name: value for name, value in envelope.items() if value is not None}


def _context(context: Payload) -> Payload:
    read = {
        "locale": context.get("locale"),
        "time_zone": context.get("timezone"),
        "device": _inner(context, "device", "type"),
        "campaign": context.get("campaign"),
        "consent": _inner(context, "consent", "categoryPreferences"),
    }
    return {name: value for name, value in read.items() if value is not None}


def _is_corrected(payload: Payload) -> bool:
    return payload.get("timestamp") is not None and payload.get("originalTimestamp") is not None


def _time_field(payload: Payload) -> str:
    only_original = payload.get("timestamp") is None and payload.get("originalTimestamp") is not None
    return "originalTimestamp" if only_original else "timestamp"


def _page(payload: Payload) -> Payload:
    page = _inner(payload, "context", "page")
    return {"path": page.get("path")} if isinstance(page, dict) else {}


def _inner(outer: Payload, name: str, inner: str) -> Any:
    value = outer.get(name)
    return value.get(inner) if isinstance(value, dict) else None


def _object(value: object, pointer: str) -> Payload:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Untranslatable("wrong_type", pointer, "Input should be an object")
    return value
