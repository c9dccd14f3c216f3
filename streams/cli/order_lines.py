"""A customer's orders for people: one timeline an order, its follow-up deliveries in it."""

from schemas.action import moment
from schemas.customer import Customer, Order
from schemas.event import Millis
from streams.customers.orders import Entry, What, find, root, timeline
from streams.customers.portrait import Language

_WHAT: dict[Language, dict[What, str]] = {
    "es": {
        "placed": "pedido hecho",
        "paid": "pagado",
        "item_shipped": "enviado",
        "item_delivered": "entregado",
        "item_substituted": "sustituido",
        "item_backordered": "faltó; llega aparte, sin coste",
        "item_cancelled": "artículo cancelado",
        "item_returned": "devuelto",
        "cancelled": "pedido cancelado",
        "refunded": "reembolsado",
        "follow_up_placed": "entrega de lo que faltaba, en camino",
        "follow_up_delivered": "entregado lo que faltaba",
    },
    "en": {
        "placed": "ordered",
        "paid": "paid",
        "item_shipped": "shipped",
        "item_delivered": "delivered",
        "item_substituted": "substituted",
        "item_backordered": "was missing; follows, costs nothing more",
        "item_cancelled": "item cancelled",
        "item_returned": "returned",
        "cancelled": "order cancelled",
        "refunded": "refunded",
        "follow_up_placed": "delivery of what was missing, under way",
        "follow_up_delivered": "what was missing was delivered",
    },
}
_PROMISED: dict[Language, str] = {"es": "prometido para el", "en": "promised for"}


def order_lines(row: Customer, language: Language) -> list[str]:
    """The orders by time, each with what happened to it and to its follow-ups, by event time."""
    lines: list[str] = []
    for order in row.orders:
        if root(row, order) is not order:
            continue
        lines.append(f"{order.order_id}  {order.state}  {_money(order.total, order)}")
        lines.extend(
            f"    {item.quantity:g} x {item.name or item.product_id}: {item.state}" for item in order.items
        )
        lines.extend(f"      {_told(entry, row, order, language)}" for entry in timeline(row, order.order_id))
    return lines


def minute(at: Millis) -> str:
    """A moment to the minute, UTC."""
    return f"{moment(at):%Y-%m-%d %H:%M}"


def _told(entry: Entry, row: Customer, order: Order, language: Language) -> str:
    parts = [minute(entry.at), " "]
    name = _item_name(entry, row)
    if name is not None and entry.quantity is not None:
        parts.append(f"{entry.quantity:g} x {name}:")
    parts.append(_WHAT[language][entry.what])
    if entry.date is not None:
        parts.append(f"({_PROMISED[language]} {minute(entry.date)})")
    if entry.total is not None:
        parts.append(_money(entry.total, order))
    if entry.order_id != order.order_id:
        parts.append(f"[{entry.order_id}]")
    return " ".join(parts)


def _item_name(entry: Entry, row: Customer) -> str | None:
    order = find(row, entry.order_id)
    items = order.items if order is not None else []
    return next((item.name or item.product_id for item in items if item.item_id == entry.item_id), None)


def _money(amount: float, order: Order) -> str:
    return f"{amount:.2f} {order.currency or ''}".rstrip()
