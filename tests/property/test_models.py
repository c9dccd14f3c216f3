"""Laws of the learning side, on generated rows, logs and arrivals."""

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from models.cart_features import CART_FEATURES, cart_features
from models.churn_features import CHURN_FEATURES, churn_features
from models.example_merge import ExampleMerge, Merged
from models.learner import MAX_MAGNITUDE, Learner
from models.snapshot import to_records
from schemas.action import moment
from schemas.counts import DAY
from schemas.customer import Cart, CartItem, Customer, Obstacle, Order, OrderItem, Purchases, Session, Viewed
from schemas.example import Example, ExamplesWatermark
from tests.unit.models.builders import AT, TINY, example, newest

Log = list[Example | ExamplesWatermark]

moments = st.integers(AT - 4_000 * DAY, AT + 3 * DAY)
money = st.one_of(st.none(), st.floats(0, 1e9))
pieces = st.floats(0, 1e6)


@st.composite
def carts(draw: st.DrawFn) -> Cart:
    cart = Cart("k", draw(moments), draw(moments), value=draw(st.floats(-1e9, 1e12)))
    cart.items = [CartItem(f"p{i}", draw(pieces), draw(money)) for i in range(draw(st.integers(0, 4)))]
    cart.stage = draw(st.sampled_from(["cart", "checkout"]))
    cart.obstacles = [Obstacle("form_error", AT, "e")] * draw(st.integers(0, 2))
    return cart


@st.composite
def rows(draw: st.DrawFn) -> Customer:
    row = Customer("c:1", first_seen=draw(moments), last_seen=draw(st.one_of(st.just(0), moments)))
    row.sessions = sorted(
        (Session(at, at + draw(st.integers(0, DAY)), 1, 1, 1) for at in draw(st.lists(moments, max_size=4))),
        key=lambda session: session.start,
    )
    row.orders = [
        Order(f"o{at}", at, draw(st.floats(0, 1e9)), items=[OrderItem("i", "p", 1.0)], event_id="e")
        for at in sorted(draw(st.lists(moments, max_size=6)))
    ]
    times = sorted(draw(st.lists(moments, max_size=2)))
    row.purchases = Purchases(
        count=draw(st.integers(0, 10_000)),
        first_at=times[0] if times else None,
        last_at=times[-1] if times else None,
        value=draw(st.floats(-1e3, 1e12)),
    )
    row.viewed = [Viewed("p", AT)] * draw(st.integers(0, 3))
    row.counts = {"events/1d": {at // DAY: 3 for at in draw(st.lists(moments, max_size=3))}}
    return row


@given(rows(), carts())
def test_features_are_finite_plausible_and_named_as_promised(row: Customer, cart: Cart) -> None:
    row.carts = [cart]
    for names, features in (
        (CART_FEATURES, cart_features(row, cart, AT)),
        (CHURN_FEATURES, churn_features(row, AT)),
    ):
        assert tuple(features) == names
        assert all(type(x) is float and abs(x) <= MAX_MAGNITUDE for x in features.values()), features


@given(rows(), st.floats(1, 1e6))
def test_an_order_placed_after_now_is_not_seen(row: Customer, total: float) -> None:
    row.orders = [order for order in row.orders if order.placed_at <= AT]
    before = churn_features(row, AT)
    row.orders.append(Order("later", AT + DAY, total, event_id="e"))
    seen_by_spend = [name for name in CHURN_FEATURES if name.startswith(("log_spend_", "log_orders_"))]
    after = churn_features(row, AT)
    assert {name: before[name] for name in seen_by_spend} == {name: after[name] for name in seen_by_spend}


@st.composite
def logs(draw: st.DrawFn) -> dict[int, Log]:
    """Partitions of examples and watermarks; their times mostly rise, sometimes a promise is broken."""
    found: dict[int, Log] = {}
    for partition in draw(st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True)):
        time, log = AT, Log()
        for n in range(draw(st.integers(0, 8))):
            time += draw(st.integers(-4, 5))
            if draw(st.booleans()):
                log.append(example(0, example_id=f"{partition}-{n}", resolved_at=moment(time)))
            else:
                log.append(ExamplesWatermark(task=partition, up_to=moment(time)))
        found[partition] = [*log, ExamplesWatermark(task=partition, up_to=moment(AT + 1_000))]
    return found


def arrive(
    data: st.DataObject, merge: ExampleMerge, log: Mapping[int, Log], start: Mapping[int, int]
) -> list[Merged]:
    """Push everything from `start` on in a drawn order, popping at drawn moments."""
    draw = data.draw
    queues = {
        partition: list(enumerate(records))[start.get(partition, 0) :] for partition, records in log.items()
    }
    popped: list[Merged] = []
    while any(queues.values()):
        partition = draw(st.sampled_from(sorted(p for p, queue in queues.items() if queue)))
        merge.push(partition, *queues[partition].pop(0))
        for _ in range(draw(st.integers(0, 3))):
            found = merge.pop()
            if found is not None:
                popped.append(found)
    while (found := merge.pop()) is not None:
        popped.append(found)
    return popped


def in_order(log: Mapping[int, Log]) -> list[tuple[int, int]]:
    """The definition: sort by (largest time so far in the partition, partition, offset)."""
    keyed = []
    for partition, records in log.items():
        reached = moment(0)
        for offset, record in enumerate(records):
            reached = max(
                reached, record.up_to if isinstance(record, ExamplesWatermark) else record.resolved_at
            )
            if isinstance(record, Example):
                keyed.append((reached, partition, offset))
    return [(partition, offset) for _, partition, offset in sorted(keyed)]


@settings(max_examples=100)
@given(st.data(), logs())
def test_any_arrival_gives_the_same_order(data: st.DataObject, log: dict[int, Log]) -> None:
    popped = arrive(data, ExampleMerge(log), log, {})
    assert [(partition, offset) for partition, offset, _ in popped] == in_order(log)


@settings(max_examples=100)
@given(st.data(), logs())
def test_a_merge_begun_anew_goes_on_with_the_same_order(data: st.DataObject, log: dict[int, Log]) -> None:
    whole = in_order(log)
    cut = data.draw(st.integers(0, len(whole)))
    merge = ExampleMerge(log)
    for partition, records in log.items():
        for offset, record in enumerate(records):
            merge.push(partition, offset, record)
    before = [merge.pop() for _ in range(cut)]
    after = arrive(data, ExampleMerge(log, merge.next_offsets()), log, merge.next_offsets())
    assert [found[:2] for found in [*before, *after] if found is not None] == whole


@settings(max_examples=100)
@given(st.data(), logs())
def test_the_next_offsets_depend_on_the_examples_given_alone(
    data: st.DataObject, log: dict[int, Log]
) -> None:
    cut = data.draw(st.integers(0, len(in_order(log))))
    found = []
    for _ in range(2):
        merge, given_out = ExampleMerge(log), 0
        queues = {partition: list(enumerate(records)) for partition, records in log.items()}
        while given_out < cut:
            partition = data.draw(st.sampled_from(sorted(p for p, queue in queues.items() if queue)))
            merge.push(partition, *queues[partition].pop(0))
            while given_out < cut and merge.pop() is not None:
                given_out += 1
        found.append(list(merge.next_offsets().items()))
    assert found[0] == found[1]


@settings(max_examples=60)
@given(st.lists(st.integers(0, 40), max_size=60), st.integers(0, 60))
def test_a_restart_anywhere_makes_the_same_bytes(order: list[int], cut: int) -> None:
    whole, first, second = Learner([TINY]), Learner([TINY]), Learner([TINY])
    for i in order:
        whole.learn(example(i))
    for i in order[:cut]:
        first.learn(example(i))
    snapshots = first.snapshots({}).values()
    second.restore(newest(record for each in snapshots for record in to_records(each, 300)))
    for i in order[cut:]:
        second.learn(example(i))
    assert second.snapshots({}) == whole.snapshots({})
