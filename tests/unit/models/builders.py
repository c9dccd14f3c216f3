"""Rows, models and examples for the tests of what learns. Values come from a fixed sequence, not from luck."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b

import msgspec

from models.model import Model
from models.scorer import Features
from models.snapshot import Snapshot, SnapshotReader
from schemas.action import moment
from schemas.counts import DAY
from schemas.customer import Cart, CartItem, Customer, Order, OrderItem, Session
from schemas.event import Millis
from schemas.example import Example
from streams.customers.purchases import record

AT: Millis = 1_700_000_000_000

TINY = Model(
    name="tiny",
    features=("a", "b", "c"),
    horizon_ms=DAY,
    rule=lambda features: 0.25,
    purchase_label=True,
    learning_rate=0.1,
    min_examples=10,
)


def number(*parts: object) -> float:
    """A number in [0, 1) that the parts determine."""
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=6).digest()) / (1 << 48)


def example(i: int, model: Model = TINY, at: Millis | None = None, **changes: object) -> Example:
    """The i-th example: the label follows the first feature, mostly."""
    features: Features = {name: round(8 * number(name, i) - 3, 3) for name in model.features}
    label = features[model.features[0]] + number("noise", i) > 1.5
    moment_ = moment(AT + i if at is None else at)
    fields: dict[str, object] = {
        "example_id": f"example-{i}",
        "model": model.name,
        "features": features,
        "label": label,
        "p": number("p", i),
        "model_version": 0,
        "decided_at": moment_,
        "resolved_at": moment_,
    }
    made: Example = msgspec.convert(fields | changes, Example)
    return made


def examples(n: int, model: Model = TINY) -> Iterator[Example]:
    return (example(i, model) for i in range(n))


def buyer(*days_ago: float, total: float = 20.0) -> Customer:
    """A customer who bought so many days before AT, oldest first."""
    times = [AT - int(days * DAY) for days in days_ago]
    row = Customer("c:1", first_seen=min(times, default=AT), last_seen=max(times, default=AT))
    for n, at in enumerate(times):
        row.orders.append(Order(f"o{n}", at, total, items=[OrderItem("i", "p", 1.0)], event_id=f"e{n}"))
        record(row, at)
    row.purchases.value = total * len(times)
    return row


def browser() -> tuple[Customer, Cart]:
    """A customer with a cart of two products, left an hour before AT."""
    cart = Cart("k", AT - 5_400_000, AT - 3_600_000, value=35.0)
    cart.items = [CartItem("p1", 2.0, 10.0, category="tea"), CartItem("p2", 1.0, 15.0)]
    row = Customer("c:1", first_seen=AT - 10 * DAY, last_seen=AT - 3_600_000, carts=[cart])
    row.sessions = [
        Session(AT - 2 * DAY, AT - 2 * DAY + 60_000, 3, 2, 0),
        Session(AT - 5_400_000, AT - 3_600_000, 6, 3, 2),
    ]
    return row, cart


def newest(records: Iterable[tuple[str, bytes | None]]) -> dict[str, Snapshot]:
    """The newest complete snapshot of each model, from the topic's records in the order of the log."""
    reader = SnapshotReader()
    read = (reader.feed(key, value) for key, value in records)
    return {snapshot.model: snapshot for snapshot in read if snapshot is not None}
