"""The oracle's customer: sessions, carts, views and consent, refolded in plain Python."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from tests.faults.oracle_orders import DAY, Json, OrderBook

MINUTE = 60_000
GAP = 30 * MINUTE
CART_IDLE = 10 * DAY
CHANNELS = ("email", "app", "site", "sms", "social", "call")
_STEPS = {"checkout_step_viewed", "checkout_step_completed", "payment_failed"}
_OBSTACLES = {"coupon_refused", "out_of_stock_shown", "form_error"}
_DONE = {
    "product_viewed": "views",
    "product_added": "adds",
    "checkout_started": "checkouts",
    **dict.fromkeys((*_OBSTACLES, "payment_failed"), "problems"),
}

Obstacle = tuple[int, str, str]
"""When, what, and of which product."""


@dataclass
class Cart:
    """A cart; `announced` is the stage it was last spoken of in."""

    cart_id: str
    opened_at: int
    last_at: int
    items: dict[str, list[float | None]] = field(default_factory=dict)  # product → [pieces, price]
    categories: dict[str, str | None] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    advanced_at: int = 0
    obstacles: list[Obstacle] = field(default_factory=list)
    stage: str = "cart"
    stated_at: int = 0
    newest_event: str = ""
    told_value: float | None = None
    announced: str = ""

    @property
    def value(self) -> float:
        if self.told_value is not None:
            return self.told_value
        return sum((pieces or 0.0) * price for pieces, price in self.items.values() if price is not None)


@dataclass
class Person:
    """All that the oracle knows of one customer."""

    key: str
    first_seen: int = 0
    last_seen: int = 0
    last_event_id: str = ""
    sessions: list[list[int]] = field(default_factory=list)  # [start, end, events, views, adds]
    acts_by_day: Counter[int] = field(default_factory=Counter)
    done: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))  # what → when
    carts: list[Cart] = field(default_factory=list)
    viewed: list[tuple[int, str]] = field(default_factory=list)  # (at, product), newest last
    consent: dict[str, tuple[int, str]] = field(default_factory=dict)  # purpose[/channel] → (at, status)
    book: OrderBook = field(default_factory=OrderBook)
    obstacles: list[Obstacle] = field(default_factory=list)  # met outside a cart
    _cart_of: dict[str, str | None] = field(default_factory=dict)  # order → the cart it came from

    def allows(self, purpose: str, channel: str | None = None) -> bool:
        general, special = self.consent.get(purpose), self.consent.get(f"{purpose}/{channel}")
        if general is not None and general[1] != "granted":
            return False
        return (special or general or (0, "unknown"))[1] == "granted"

    def take(self, touchpoint: str, event: Json, at: int) -> bool:
        """Fold one applied event; whether it is a purchase."""
        self.first_seen = min(self.first_seen or at, at)
        while self.carts and self.carts[0].last_at < at - CART_IDLE:
            del self.carts[0]
        is_purchase = False
        if touchpoint == "orders":
            is_purchase = self._order(event, at)
        elif touchpoint == "messages":
            self._feedback(event, at)
        else:
            self._act(event, at)
            if touchpoint == "web":
                self._web(event, at)
            else:
                channel = event.get("channel")
                self._say(event["purpose"] + (f"/{channel}" if channel else ""), event["type"], at)
        for purpose, granted in ((event.get("context") or {}).get("consent") or {}).items():
            if not granted and purpose in ("profiling", "marketing"):
                self._say(purpose, "denied", at)
        return is_purchase

    def _order(self, event: Json, at: int) -> bool:
        is_purchase = self.book.take(event, at)
        if event["type"] == "order_placed" and event.get("follows_order_id") is None:
            self._act(event, at)
        if is_purchase:
            self._close_ordered(event, at)
        return is_purchase

    def _feedback(self, event: Json, at: int) -> None:
        if event["type"] in ("unsubscribed", "complained") and event["channel"] in CHANNELS:
            self._say(f"marketing/{event['channel']}", "withdrawn", at)
        elif event["type"] in ("clicked", "replied"):
            self._act(event, at)

    def _say(self, key: str, status: str, at: int) -> None:
        known = self.consent.get(key)
        if known is None or at > known[0] or (at == known[0] and known[1] == "granted"):
            self.consent[key] = (at, status)

    def _act(self, event: Json, at: int) -> None:
        if at >= self.last_seen:
            self.last_seen, self.last_event_id = at, event["event_id"]
        kind = event["type"]
        self.acts_by_day[at // DAY] += 1
        if kind in _DONE:
            self.done[_DONE[kind]].append(at)
        self.sessions.append([at, at, 1, int(kind == "product_viewed"), int(kind == "product_added")])
        self.sessions.sort()
        joined: list[list[int]] = []
        for each in self.sessions:
            if joined and each[0] - joined[-1][1] <= GAP:
                before = joined[-1]
                joined[-1] = [
                    before[0],
                    max(before[1], each[1]),
                    *(a + b for a, b in zip(before[2:], each[2:], strict=True)),
                ]
            else:
                joined.append(each)
        self.sessions = joined[-8:]

    def _web(self, event: Json, at: int) -> None:
        kind = event["type"]
        if kind == "product_viewed":
            self._view(event["product"]["product_id"], at)
        elif kind in ("product_added", "product_removed"):
            self._move(event, at)
        elif kind in ("cart_viewed", "cart_updated"):
            cart = self._cart(event, at, opens=bool(event.get("products")))
            if cart is not None and event.get("products") is not None:
                self._state(cart, event["products"], at)
        elif kind == "checkout_started":
            self._check_out(event, at)
        elif kind in _STEPS:
            self._go_on(event, at)
        elif kind in _OBSTACLES:
            self._meet(self._cart(event, at, opens=False), event, at)

    def _move(self, event: Json, at: int) -> None:
        is_added = event["type"] == "product_added"
        cart = self._cart(event, at, opens=is_added)
        if is_added:
            _overcome_missing(self.obstacles, event, at)
            _overcome_missing(cart.obstacles if cart else [], event, at)
        if cart is not None and at >= cart.stated_at:
            (self._put_in if is_added else self._take_out)(cart, event["product"])

    def _go_on(self, event: Json, at: int) -> None:
        cart = self._cart(event, at, opens=True)
        if cart is not None:
            cart.stage = "checkout"
            if event["type"] == "payment_failed":
                self._meet(cart, event, at)
            else:
                self._step(cart, event, at)

    def _step(self, cart: Cart, event: Json, at: int) -> None:
        steps, name = cart.steps, event["step"]
        if at < cart.last_at and steps:
            if name not in steps:
                steps.insert(len(steps) - 1, name)
        elif steps[-1:] != [name]:
            steps.append(name)
        del steps[:-12]
        if event["type"] == "checkout_step_completed":
            cart.advanced_at = max(cart.advanced_at, at)
            cart.obstacles = [each for each in cart.obstacles if each[0] > at]

    def _meet(self, cart: Cart | None, event: Json, at: int) -> None:
        kind = event["type"].removesuffix("_shown")
        product = event["product"]["product_id"] if kind == "out_of_stock" else ""
        if cart is not None and at <= cart.advanced_at:
            return
        met = self.obstacles if cart is None else cart.obstacles
        met.append((at, kind, product))
        met.sort(key=lambda each: each[0])
        del met[:-8]

    def _view(self, product_id: str, at: int) -> None:
        known = next((when for when, which in self.viewed if which == product_id), None)
        if known is not None and at < known:
            return
        self.viewed = [each for each in self.viewed if each[1] != product_id]
        place = sum(when <= at for when, _ in self.viewed)
        self.viewed.insert(place, (at, product_id))
        del self.viewed[:-20]

    def cart(self, cart_id: str | None) -> Cart | None:
        """The cart of that id; the one used last without an id."""
        if cart_id is None:
            return self.carts[-1] if self.carts else None
        return next((cart for cart in self.carts if cart.cart_id == cart_id), None)

    def _cart(self, event: Json, at: int, *, opens: bool) -> Cart | None:
        cart_id = event.get("cart_id")
        cart = self.cart(cart_id)
        if cart is None:
            if not opens or self._became_order(cart_id, at):
                return None
            assert cart_id is not None, "the generator names every cart"
            cart = Cart(cart_id, at, at)
            self.carts.append(cart)
        cart.opened_at, cart.last_at = min(cart.opened_at, at), max(cart.last_at, at)
        self.carts.sort(key=lambda each: each.last_at)
        del self.carts[:-4]
        cart.newest_event = event["event_id"]
        return cart

    def _became_order(self, cart_id: str | None, at: int) -> bool:
        return any(
            order.event_id
            and order.follows is None
            and order.placed_at >= at
            and self._cart_of.get(order.order_id, cart_id) in (None, cart_id)
            for order in self.book.orders
        )

    def _put_in(self, cart: Cart, product: Json) -> None:
        if product["product_id"] not in cart.items:
            cart.categories[product["product_id"]] = product.get("category")
        known = cart.items.setdefault(product["product_id"], [0.0, None])
        known[0] = (known[0] or 0.0) + product.get("quantity", 1.0)
        known[1] = product.get("price") if product.get("price") is not None else known[1]
        cart.told_value = None

    def _take_out(self, cart: Cart, product: Json) -> None:
        known = cart.items.get(product["product_id"])
        if known is None:
            return
        left = (known[0] or 0.0) - product.get("quantity", 1.0)
        known[0] = left
        if left <= 0:
            del cart.items[product["product_id"]]
        cart.told_value = None
        self._drop_empty(cart)

    def _state(self, cart: Cart, products: list[Json], at: int) -> None:
        if at < cart.stated_at:
            return
        cart.stated_at, cart.items, cart.told_value = at, {}, None
        for product in products:
            if product["product_id"] not in cart.items:
                cart.categories[product["product_id"]] = product.get("category")
            known = cart.items.setdefault(product["product_id"], [0.0, product.get("price")])
            known[0] = (known[0] or 0.0) + product.get("quantity", 1.0)
        self._drop_empty(cart)

    def _check_out(self, event: Json, at: int) -> None:
        cart = self._cart(event, at, opens=True)
        if cart is None:
            return
        cart.stage = "checkout"
        if event.get("products"):
            self._state(cart, event["products"], at)
        if event.get("value") is not None and at >= cart.stated_at:
            cart.told_value = event["value"]

    def _drop_empty(self, cart: Cart) -> None:
        if not cart.items:
            self.carts.remove(cart)

    def _close_ordered(self, event: Json, at: int) -> None:
        self._cart_of[event["order_id"]] = event.get("cart_id")
        ordered = {item["product_id"] for item in event["items"]}
        own = self.cart(event.get("cart_id"))
        for cart in list(self.carts):
            if cart.opened_at > at or not (cart is own or (cart.items and cart.items.keys() <= ordered)):
                continue
            if cart.last_at > at:
                cart.items = {which: what for which, what in cart.items.items() if which not in ordered}
                cart.told_value = None
            if cart.last_at <= at or not cart.items:
                self.carts.remove(cart)


def _overcome_missing(met: list[Obstacle], event: Json, at: int) -> None:
    """The product can be had after all."""
    missing = ("out_of_stock", event["product"]["product_id"])
    met[:] = [each for each in met if each[0] > at or each[1:] != missing]
