"""The oracle's orders: what the shop's order system told, refolded in plain Python."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

MAX_ORDERS = 12
DAY = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Json = dict[str, Any]


def ms(text: str | None) -> int | None:
    """A moment's milliseconds since the epoch."""
    if text is None:
        return None
    since = datetime.fromisoformat(text) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


@dataclass
class Line:
    """One item of an order; pieces as told."""

    item_id: str
    product_id: str
    ordered: float = 0.0
    price: float | None = None
    shipped: float = 0.0
    own: float = 0.0  # delivered with this very order
    followed: float = 0.0  # delivered with follow-ups
    short: float = 0.0
    short_at: int = 0
    promised: int | None = None
    promise_at: int = 0
    follow_up: str | None = None
    shipped_at: int | None = None
    delivered_at: int | None = None
    substitute_at: int | None = None
    cancelled_at: int | None = None
    returned_at: int | None = None
    told: set[str] = field(default_factory=set)

    @property
    def came(self) -> float:
        return self.own + self.followed

    @property
    def missing(self) -> float:
        return (
            min(self.short, max(self.ordered - self.came, 0.0)) if self.short and self.ordered else self.short
        )

    @property
    def waiting(self) -> float:
        if self.returned_at is not None or self.cancelled_at is not None:
            return 0.0
        return max((self.ordered or max(self.shipped, self.short)) - self.came, 0.0)

    @property
    def state(self) -> str:
        if self.returned_at is not None:
            return "returned"
        if self.cancelled_at is not None:
            return "delivered" if self.came else "cancelled"
        if self.missing:
            return "backordered"
        if self.came and self.came >= self.shipped:
            return "delivered"
        if self.shipped:
            return "shipped"
        return "placed" if self.substitute_at is None else "substituted"

    def promise(self, until: int | None, at: int) -> None:
        if until is not None and at >= self.promise_at:
            self.promised, self.promise_at = until, at


@dataclass
class Bought:
    """An order; `event_id` is empty while only later news of it is known."""

    order_id: str
    placed_at: int
    event_id: str = ""
    total: float = 0.0
    refunded: float = 0.0
    follows: str | None = None
    paid_at: int | None = None
    cancelled_at: int | None = None
    terms_at: int = 0
    lines: list[Line] = field(default_factory=list)
    told: set[str] = field(default_factory=set)

    @property
    def net(self) -> float:
        if not self.event_id or self.follows is not None or self.cancelled_at is not None:
            return 0.0
        return max(self.total - self.refunded, 0.0)

    @property
    def state(self) -> str:
        if self.cancelled_at is not None:
            return "cancelled"
        if self.event_id and self.refunded >= self.total > 0:
            return "refunded"
        return "paid" if self.paid_at is not None else "placed"

    @property
    def is_open(self) -> bool:
        return self.cancelled_at is None and any(line.waiting > 0 for line in self.lines)

    def line(self, item_id: str) -> Line:
        for line in self.lines:
            if line.item_id == item_id:
                return line
        for line in self.lines:
            if line.product_id == item_id:
                return line
        self.lines.append(Line(item_id, item_id))
        return self.lines[-1]

    def ordered_line(self, product: Json) -> Line:
        item_id = product.get("item_id") or product["product_id"]
        for line in self.lines:
            if line.item_id == item_id:
                return line
        for line in self.lines:
            if line.item_id == product["product_id"] and not line.ordered:
                line.item_id = item_id
                return line
        self.lines.append(Line(item_id, item_id))
        return self.lines[-1]

    def terms(self, event: Json, at: int) -> None:
        """Items, total and promised date as told at `at`; older news fills only gaps."""
        products, total, promised = event.get("items"), event.get("total"), ms(event.get("promised_at"))
        newest = at >= self.terms_at
        if total is not None and (newest or not self.total):
            self.total = total
        named: set[str] = set()
        for product in products or ():
            line = self.ordered_line(product)
            if line.item_id in named:
                line.ordered += product.get("quantity", 1.0)
            elif newest or not line.ordered:
                named.add(line.item_id)
                line.product_id, line.price = product["product_id"], product.get("price")
                line.ordered = product.get("quantity", 1.0)
            line.promise(ms(product.get("promised_at")) or promised, at)
        for line in self.lines if products is None else ():
            line.promise(promised, at)
        if newest and (products is not None or total is not None):
            self.terms_at = at


class OrderBook:
    """All orders of one customer, oldest first, and what was bought in all."""

    def __init__(self) -> None:
        self.orders: list[Bought] = []
        self.purchases: list[int] = []  # when each was placed
        self._value_of_forgotten = 0.0

    @property
    def value(self) -> float:
        return self._value_of_forgotten + sum(order.net for order in self.orders)

    @property
    def last_purchase(self) -> int | None:
        return max(self.purchases, default=None)

    def find(self, order_id: str | None) -> Bought | None:
        return next((order for order in self.orders if order.order_id == order_id), None)

    def follow_ups(self, order: Bought) -> list[Bought]:
        return [each for each in self.orders if each.follows == order.order_id]

    def root(self, order: Bought) -> Bought:
        for _ in range(MAX_ORDERS):
            above = self.find(order.follows) if order.follows is not None else None
            if above is None:
                break
            order = above
        return order

    def has_late(self, now: int) -> bool:
        lines = (line for order in self.orders for line in order.lines)
        return any(line.promised is not None and line.promised < now and line.waiting > 0 for line in lines)

    def take(self, event: Json, at: int) -> bool:
        """Take one event of the order system; whether it is a purchase."""
        order, kind, is_purchase = self._known(event["order_id"], at), event["type"], False
        if kind == "order_placed":
            is_purchase = self._place(order, event, at)
        elif kind == "order_updated":
            order.terms(event, at)
        elif kind == "order_paid":
            order.paid_at = at if order.paid_at is None else min(order.paid_at, at)
        elif kind == "order_refunded":
            order.refunded = round(order.refunded + event["amount"], 4)
        elif kind == "order_cancelled" and event.get("item_id") is None:
            order.cancelled_at = at if order.cancelled_at is None else min(order.cancelled_at, at)
        elif kind != "custom":
            self._item_news(order, order.line(event["item_id"]), event, at)
        self._conclude(order)
        return is_purchase

    def _known(self, order_id: str, at: int) -> Bought:
        order = self.find(order_id)
        if order is None:
            order = Bought(order_id, at)
            self.orders.append(order)
            self._sort()
            if len(self.orders) > MAX_ORDERS:
                others = [each for each in self.orders if each is not order]
                leaving = next((each for each in others if not each.is_open), others[0])
                self._value_of_forgotten += leaving.net
                self.orders.remove(leaving)
        elif not order.event_id and at < order.placed_at:
            order.placed_at = at
            self._sort()
        return order

    def _place(self, order: Bought, event: Json, at: int) -> bool:
        is_new = not order.event_id
        if is_new:
            announced = (
                other.order_id
                for other in self.orders
                if other is not order and any(line.follow_up == order.order_id for line in other.lines)
            )
            order.event_id, order.placed_at = event["event_id"], at
            order.follows = order.follows or event.get("follows_order_id") or next(announced, None)
            self._sort()
        order.terms(event, at)
        if is_new and order.follows is None:
            self.purchases.append(at)
            return True
        return False

    def _item_news(self, order: Bought, line: Line, event: Json, at: int) -> None:
        kind, pieces = event["type"], event.get("quantity", 1.0)
        if kind == "item_shipped":
            line.shipped += pieces
            line.shipped_at = max(line.shipped_at or at, at)
            line.promise(ms(event.get("promised_at")), at)
        elif kind == "item_delivered":
            line.own += pieces
            line.delivered_at = max(line.delivered_at or at, at)
        elif kind == "item_substituted":
            line.substitute_at = max(line.substitute_at or at, at)
        elif kind == "order_cancelled":
            line.cancelled_at = min(line.cancelled_at or at, at)
        elif kind == "item_returned":
            line.returned_at = max(line.returned_at or at, at)
        elif kind == "item_backordered":
            line.promise(ms(event["promised_at"]), at)
            if at >= line.short_at:
                line.short, line.short_at = pieces, at
                line.follow_up = event.get("follow_up_order_id") or line.follow_up
            rest = self.find(line.follow_up)
            if rest is not None and rest is not order and rest.follows is None:
                rest.follows = order.order_id
                self._conclude(rest)

    def _conclude(self, order: Bought) -> None:
        """Pieces that came with follow-ups, up the chain; a cancelled order cancels its items."""
        for _ in range(MAX_ORDERS):
            for line in order.lines:
                self._credit(line, self.follow_ups(order))
                if order.cancelled_at is not None and line.cancelled_at is None:
                    line.cancelled_at = order.cancelled_at
            above = self.find(order.follows) if order.follows is not None else None
            if above is None:
                break
            order = above

    def _credit(self, line: Line, follow_ups: list[Bought]) -> None:
        came = 0.0
        for rest in follow_ups:
            for other in rest.lines:
                if line.item_id == other.item_id or line.product_id == other.product_id:
                    came += other.came
                    if line.follow_up is None and (line.short or line.waiting):
                        line.follow_up = rest.order_id
                    if other.delivered_at is not None:
                        line.delivered_at = max(line.delivered_at or 0, other.delivered_at)
        if follow_ups:
            line.followed = min(came, max(line.ordered - line.own, 0.0))

    def _sort(self) -> None:
        self.orders.sort(key=lambda order: order.placed_at)
