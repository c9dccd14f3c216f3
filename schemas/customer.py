"""The row: all that is kept of one customer, and its packed form in the changelog and the store.

Every list and mapping has a bound, stated beside it; whoever appends keeps it. Times are ms since the epoch.
"""

from collections.abc import Callable
from math import sqrt
from typing import Any, Literal, NamedTuple

import msgspec

from schemas.event import Millis

ROW_VERSION = 1

MAX_ALIASES = 8
MAX_SESSIONS = 8
MAX_CARTS = 4
MAX_CART_ITEMS = 50
MAX_STEPS = 12
MAX_OBSTACLES = 8
MAX_ORDERS = 12
MAX_ORDER_ITEMS = 60
MAX_VIEWED = 20
MAX_CONTACTS = 40
MAX_PENDING = 16
MAX_HELD = 16
MAX_TIMERS = 128
MAX_SEEN = 1024
MAX_EVIDENCE = 8
MAX_TEXT = 128
"""Characters kept of any free text (names, categories, reasons)."""


class _Part(msgspec.Struct, array_like=True, gc=False):
    """A row is a tree: nothing in it can close a cycle, so the garbage collector need not look at it."""


class Identity(_Part):
    """The identifiers seen with this customer, and where and in what language to meet them."""

    customer_id: str | None = None
    loyalty_card: str | None = None
    email_hash: str | None = None
    phone_hash: str | None = None
    device_id: str | None = None
    anonymous_ids: list[str] = []  # newest last, MAX_ALIASES
    locale: str | None = None
    time_zone: str | None = None


class Session(_Part):
    """Activity without a gap of 30 minutes: first and last event's time, and what was done in it."""

    start: Millis
    end: Millis
    events: int = 0
    views: int = 0
    adds: int = 0


class CartItem(_Part):
    """A product in a cart."""

    product_id: str
    quantity: float
    price: float | None = None
    name: str | None = None
    category: str | None = None


class Obstacle(_Part):
    """Something that stood in the customer's way; `detail` names product, field or refusal."""

    kind: Literal["payment_failed", "out_of_stock", "coupon_refused", "form_error", "no_results"]
    at: Millis
    event_id: str
    detail: str | None = None


class Cart(_Part):
    """A cart that has not become an order. `fired` is the stage it was last announced abandoned in.

    `stated_at` is when its whole content was last told, `advanced_at` when a checkout step was last
    completed.
    """

    cart_id: str
    opened_at: Millis
    last_at: Millis
    items: list[CartItem] = []  # MAX_CART_ITEMS
    value: float = 0.0
    currency: str | None = None
    stage: Literal["cart", "checkout"] = "cart"
    steps: list[str] = []  # in order, MAX_STEPS, newest kept
    obstacles: list[Obstacle] = []  # newest last, MAX_OBSTACLES
    evidence: list[str] = []  # ids of the events that made it, newest last, MAX_EVIDENCE
    fired: Literal["", "cart", "checkout"] = ""
    stated_at: Millis = 0
    advanced_at: Millis = 0


class OrderItem(_Part):
    """One line of an order; quantities in pieces. `told` holds what the customer was already told of it.

    `quantity` is 0 while only later news of the item is known, not its order. `delivered` and `delivered_at`
    include `followed`, the pieces that came with a follow-up order; `own_delivered_at` does not.
    `promise_stated_at` and `backorder_stated_at` say when the promised date and the missing pieces were last
    told.
    """

    item_id: str
    product_id: str
    quantity: float
    price: float | None = None
    name: str | None = None
    category: str | None = None
    state: Literal[
        "placed", "shipped", "delivered", "backordered", "substituted", "cancelled", "returned"
    ] = "placed"
    shipped: float = 0.0
    delivered: float = 0.0
    backordered: float = 0.0
    promised_at: Millis | None = None
    follow_up_order_id: str | None = None
    substitute: str | None = None
    delivered_at: Millis | None = None
    told: list[str] = []
    followed: float = 0.0
    shipped_at: Millis | None = None
    substituted_at: Millis | None = None
    cancelled_at: Millis | None = None
    returned_at: Millis | None = None
    promise_stated_at: Millis = 0
    backorder_stated_at: Millis = 0
    own_delivered_at: Millis | None = None


class Order(_Part):
    """An order and its items. `follows` is the order whose missing items it delivers.

    `event_id` is the event that placed it; while that is empty only later news of the order is known and
    `placed_at` is the time of the earliest. `updated_at` is when items or total were last told.
    """

    order_id: str
    placed_at: Millis
    total: float
    currency: str | None = None
    cart_id: str | None = None
    state: Literal["placed", "paid", "cancelled", "refunded"] = "placed"
    promised_at: Millis | None = None
    follows: str | None = None
    items: list[OrderItem] = []  # MAX_ORDER_ITEMS
    refunded: float = 0.0
    event_id: str = ""
    updated_at: Millis = 0
    paid_at: Millis | None = None
    cancelled_at: Millis | None = None
    refunded_at: Millis | None = None

    @property
    def is_purchase(self) -> bool:
        """Whether the customer bought something with it: it was placed, and is no follow-up delivery."""
        return self.follows is None and bool(self.event_id)


class Purchases(_Part):
    """Purchase history: how many orders, when, for how much, and in what rhythm.

    The rhythm is of the days with purchases, in UTC: `gaps` between one and the next, their mean in days and
    the sum of squared deviations from it.
    """

    count: int = 0
    first_at: Millis | None = None
    last_at: Millis | None = None
    value: float = 0.0
    gaps: int = 0
    gap_mean: float = 0.0
    gap_m2: float = 0.0

    @property
    def days(self) -> int:
        """Days with purchases."""
        return self.gaps + 1 if self.count else 0

    @property
    def gap_spread(self) -> float | None:
        """Sample standard deviation of the gaps, in days; None below two gaps."""
        return sqrt(self.gap_m2 / (self.gaps - 1)) if self.gaps > 1 else None


class Viewed(_Part):
    """A product looked at."""

    product_id: str
    at: Millis
    name: str | None = None
    category: str | None = None
    price: float | None = None
    event_id: str = ""


class Contact(_Part):
    """An action emitted for this customer and what became of it: the ledger that caps read."""

    action_id: str
    trigger: str
    business_key: str
    channel: str
    category: str
    at: Millis
    expires_at: Millis
    status: str = "emitted"  # then the newest feedback: sent, delivered, opened, … or cancelled
    status_at: Millis = 0


class Permission(_Part):
    """What the customer said of one purpose and channel, last."""

    status: Literal["granted", "denied", "withdrawn"]
    at: Millis
    evidence: str


class Pending(_Part):
    """A prediction that waits for its outcome. `due` is when its horizon ends."""

    decision_id: str
    model: str
    features: dict[str, float]
    p: float
    model_version: int
    at: Millis
    due: Millis


class Held(_Part):
    """A candidate that a gate deferred: it is looked at again when its timer fires."""

    trigger: str
    business_key: str
    reason: str
    since: Millis
    expires_at: Millis
    decision_id: str


class Churn(_Part):
    """Whether the customer's present silence was already announced as a lapse."""

    lapsed: bool = False
    since: Millis = 0


class Customer(_Part):
    """One customer. Mutable: the fold changes it in place; its packed bytes are the committed truth.

    `first_seen` is the earliest event's time; `last_seen` and `last_event_id` are those of the customer's own
    last act (what the shop or the carrier did since does not count), 0 and empty before the first.
    """

    key: str
    first_seen: Millis = 0
    last_seen: Millis = 0
    last_event_id: str = ""
    identity: Identity = msgspec.field(default_factory=Identity)
    sessions: list[Session] = []  # by start, MAX_SESSIONS, newest kept
    carts: list[Cart] = []  # by last_at, MAX_CARTS, newest kept
    orders: list[Order] = []  # by placed_at, MAX_ORDERS; the oldest finished one leaves first
    purchases: Purchases = msgspec.field(default_factory=Purchases)
    counts: dict[str, dict[int, int]] = {}  # what/tier → bucket → how many; see schemas/counts.py
    viewed: list[Viewed] = []  # newest last, one a product, MAX_VIEWED
    contacts: list[Contact] = []  # newest last, MAX_CONTACTS
    consent: dict[str, Permission] = {}  # "purpose" or "purpose/channel"
    timers: dict[str, Millis] = {}  # timer id → due, MAX_TIMERS
    seen: dict[str, dict[int, Millis]] = {}  # touchpoint → hash of event id → event time, MAX_SEEN each
    seen_floor: dict[str, Millis] = {}  # touchpoint → at or before it an event is late: the window overflowed
    pending: list[Pending] = []  # MAX_PENDING
    held: list[Held] = []  # MAX_HELD
    churn: Churn = msgspec.field(default_factory=Churn)
    browse_fired: bool = False  # the present browsing was already announced as abandoned
    obstacles: list[Obstacle] = []  # met outside a cart, newest last, MAX_OBSTACLES


class Prefix(NamedTuple):
    """The fixed head of a packed row: what a restore needs without unpacking. `due` is 0 for no timer."""

    version: int
    due: Millis
    last_event: Millis
    flags: int


PREFIX_BYTES = 18
_NO_FLAGS = 0

UPCASTERS: dict[int, Callable[[list[Any]], list[Any]]] = {}
"""Row version → what turns its array into the next version's. Empty while there is one version."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Customer).decode
_decode_raw = msgspec.msgpack.Decoder(list).decode


def pack(row: Customer) -> bytes:
    """The row as bytes: version u8, next due u64, last event u64, flags u8 (big-endian), then msgpack."""
    due = min(row.timers.values(), default=0)
    head = ROW_VERSION.to_bytes(1) + due.to_bytes(8) + row.last_seen.to_bytes(8) + _NO_FLAGS.to_bytes(1)
    return head + _encode(row)


def prefix(packed: bytes) -> Prefix:
    """Read only the fixed head of a packed row."""
    return Prefix(packed[0], int.from_bytes(packed[1:9]), int.from_bytes(packed[9:17]), packed[17])


def unpack(packed: bytes) -> Customer:
    """The row of a packed form of this or any earlier version.

    Raises ValueError for a version that is newer than this code or has no upcaster.
    """
    version = packed[0]
    if version == ROW_VERSION:
        return _decode(memoryview(packed)[PREFIX_BYTES:])
    fields = _decode_raw(memoryview(packed)[PREFIX_BYTES:])
    while version != ROW_VERSION:
        if version not in UPCASTERS:
            raise ValueError(f"a row of version {version} cannot be read by code of version {ROW_VERSION}")
        fields = UPCASTERS[version](fields)
        version += 1
    return msgspec.convert(fields, Customer)
