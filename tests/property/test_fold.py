"""The laws of the fold: order of arrival within the lateness, duplicates, bounds, packing."""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import customer as row_type
from schemas.counts import TIERS
from schemas.customer import Customer, pack, unpack
from schemas.event import Arrival
from streams.customers.fold import fold
from tests.unit.customers.builders import (
    DAY,
    HOUR,
    KEY,
    LATENESS,
    MINUTE,
    T0,
    arrival,
    day,
    order,
    product,
    web,
)

PATIENT = dict.fromkeys(LATENESS, 400 * DAY)
ids = st.integers(0, 3)

Maker = Callable[[int, int, int], Arrival]


def _message(kind: str) -> Maker:
    return lambda at, one, two: arrival(
        "messages", kind, at, action_id=f"A{one}", channel=("email", "sms")[two % 2]
    )


def _cart(kind: str, **fields: Any) -> Maker:
    return lambda at, one, two: web(kind, at, cart_id=None if two == 0 else f"K{two}", **fields)


def _with_product(kind: str) -> Maker:
    return lambda at, one, two: web(
        kind, at, cart_id=None if two == 0 else f"K{two}", product=product(f"P{one}")
    )


def _item(kind: str, **fields: Any) -> Maker:
    return lambda at, one, two: order(kind, at, f"O{two}", item_id=f"P{one}", quantity=one + 1, **fields)


def _placed(at: int, one: int, two: int) -> Arrival:
    follows = f"O{two - 1}" if one == 3 and two else None
    items = [product(f"P{one}"), product("P0", 1.5, 2)]
    return order("order_placed", at, f"O{two}", items=items, total=one + 0.25, follows_order_id=follows)


MAKERS: tuple[Maker, ...] = (
    lambda at, one, two: web(
        "page_viewed", at, anonymous_id=f"a{one}", context={"consent": {"marketing": two > 1}}
    ),
    lambda at, one, two: web("product_viewed", at, product=product(f"P{one}{two}")),
    lambda at, one, two: web("searched", at, query=f"q{one}", results=two),
    _with_product("product_added"),
    _with_product("product_removed"),
    _with_product("out_of_stock_shown"),
    lambda at, one, two: web(
        "cart_updated", at, cart_id=f"K{two}", products=[product(f"P{i}") for i in range(one)]
    ),
    _cart("cart_viewed"),
    _cart("checkout_started", value=9),
    _cart("checkout_step_viewed", step="delivery"),
    _cart("checkout_step_completed", step="payment"),
    _cart("coupon_refused", coupon="TEN"),
    _cart("payment_failed"),
    _cart("form_error", field="postcode"),
    _placed,
    lambda at, one, two: order("order_updated", at, f"O{two}", total=one, promised_at=day(at + DAY)),
    lambda at, one, two: order("order_paid", at, f"O{two}"),
    _item("item_shipped"),
    _item("item_delivered"),
    _item("item_backordered", promised_at=day(T0 + DAY), follow_up_order_id="O2"),
    _item("item_returned"),
    _item("item_substituted", substitute={"product_id": "P9"}),
    lambda at, one, two: order("order_cancelled", at, f"O{two}", item_id=None if one else "P0"),
    lambda at, one, two: order("order_refunded", at, f"O{two}", amount=one),
    _message("sent"),
    _message("unsubscribed"),
    _message("clicked"),
    lambda at, one, two: arrival(
        "consent", ("granted", "denied", "withdrawn")[one % 3], at, purpose="marketing", evidence="form"
    ),
)


def happenings(span: int, grain: int = 1) -> st.SearchStrategy[Arrival]:
    """Any event at any multiple of `grain` ms within `span` ms."""
    times = st.integers(0, span // grain).map(lambda step: T0 + step * grain)
    return st.builds(lambda make, at, one, two: make(at, one, two), st.sampled_from(MAKERS), times, ids, ids)


def unlike(arrivals: list[Arrival]) -> list[Arrival]:
    """Without repeated ids."""
    return list({each.event.event_id: each for each in arrivals}.values())


def run(arrivals: list[Arrival], lateness: dict[str, int] = PATIENT, row: Customer | None = None) -> Customer:
    row = row or Customer(KEY)
    stream_time = 0
    for each in arrivals:
        stream_time = max(stream_time, each.at)
        fold(row, each, stream_time, lateness)
    return row


def told_in_two_orders(
    span: int, grain: int, size: int
) -> st.SearchStrategy[tuple[list[Arrival], list[Arrival]]]:
    log = st.lists(happenings(span, grain), max_size=size).map(unlike)
    return log.flatmap(lambda events: st.tuples(st.just(events), st.permutations(events)))


@given(told_in_two_orders(4 * HOUR, 5 * MINUTE, 40))
def test_sessions_do_not_depend_on_the_order_of_arrival(both: tuple[list[Arrival], list[Arrival]]) -> None:
    # Within 4 hours there can never be more sessions than a row keeps: the law is exact.
    assert run(both[0]).sessions == run(both[1]).sessions


@given(told_in_two_orders(120 * DAY, HOUR, 40))
def test_counts_do_not_depend_on_the_order_of_arrival(both: tuple[list[Arrival], list[Arrival]]) -> None:
    # An order may be placed twice here; which of the two is the purchase is for the next law to say.
    rows = run(both[0]), run(both[1])
    for row in rows:
        for tier in TIERS:
            row.counts.pop(f"orders{tier.suffix}", None)
    assert rows[0].counts == rows[1].counts
    assert (rows[0].first_seen, rows[0].last_seen) == (rows[1].first_seen, rows[1].last_seen)


amounts = st.integers(0, 5_000).map(lambda cents: cents / 100)
bought = st.tuples(st.integers(0, 90 * 24), amounts, st.sampled_from(("", "refunded", "cancelled")))


def _purchase(number: int, hours: int, total: float, end: str) -> list[Arrival]:
    at, order_id = T0 + hours * HOUR, f"O{number}"
    placed = order("order_placed", at, order_id, items=[product()], total=total)
    if end == "refunded":
        return [placed, order("order_refunded", at + DAY, order_id, amount=total / 2)]
    return [placed, order("order_cancelled", at + DAY, order_id)] if end else [placed]


@given(st.lists(bought, max_size=row_type.MAX_ORDERS), st.data())
def test_purchases_and_their_counts_do_not_depend_on_the_order_of_arrival(
    history: list[tuple[int, float, str]], data: st.DataObject
) -> None:
    log = [event for number, each in enumerate(history) for event in _purchase(number, *each)]
    shuffled = data.draw(st.permutations(log))
    in_order = sorted(log, key=lambda each: each.at)
    rows = run(shuffled), run(in_order)
    assert rows[0].purchases == rows[1].purchases
    assert rows[0].counts == rows[1].counts


def _supermarket() -> list[Arrival]:
    def item(kind: str, at: int, quantity: float, order_id: str, **fields: Any) -> Arrival:
        return order(kind, at, order_id, item_id="P1", quantity=quantity, **fields)

    return [
        order("order_placed", T0, "O1", items=[product("P1", 3, 10), product("P2")], total=31),
        item("item_shipped", T0 + HOUR, 6, "O1"),
        item("item_delivered", T0 + 2 * HOUR, 6, "O1"),
        item("item_backordered", T0 + 3 * HOUR, 4, "O1", promised_at=day(T0 + DAY), follow_up_order_id="O2"),
        order(
            "order_placed", T0 + 4 * HOUR, "O2", items=[product("P1", 3, 4)], total=0, follows_order_id="O1"
        ),
        item("item_delivered", T0 + DAY, 4, "O2"),
        order("order_cancelled", T0 + DAY, "O1", item_id="P2"),
        order("order_refunded", T0 + 2 * DAY, "O1", amount=1),
    ]


@given(st.permutations(_supermarket()))
def test_an_order_and_its_follow_up_end_the_same_whatever_was_told_first(log: list[Arrival]) -> None:
    def told(row: Customer) -> list[Any]:
        for each in row.orders:
            each.items.sort(key=lambda item: item.item_id)
        return [row.orders, row.purchases]

    assert told(run(log)) == told(run(_supermarket()))


@given(st.lists(happenings(3 * HOUR), min_size=1, max_size=40), st.data())
def test_a_repeated_event_changes_no_byte_wherever_it_comes(log: list[Arrival], data: st.DataObject) -> None:
    row, stream_time = Customer(KEY), 0
    again = data.draw(st.sets(st.integers(0, len(log) - 1), min_size=1, max_size=5))
    for place, each in enumerate(log):
        stream_time = max(stream_time, each.at)
        fold(row, each, stream_time, LATENESS)
        if place in again:
            before = pack(row)
            repeated = data.draw(st.sampled_from(log[: place + 1]))
            assert fold(row, repeated, stream_time, LATENESS) in ("duplicate", "late")
            assert pack(row) == before


@given(st.lists(happenings(60 * DAY), max_size=80))
@settings(max_examples=50)
def test_every_list_of_a_row_keeps_its_bound(log: list[Arrival]) -> None:
    row = run(log)
    bounded: list[tuple[Any, int]] = [
        (row.identity.anonymous_ids, row_type.MAX_ALIASES),
        (row.sessions, row_type.MAX_SESSIONS),
        (row.carts, row_type.MAX_CARTS),
        (row.orders, row_type.MAX_ORDERS),
        (row.viewed, row_type.MAX_VIEWED),
        (row.obstacles, row_type.MAX_OBSTACLES),
        (row.consent, 2 * 7),
        *((cart.items, row_type.MAX_CART_ITEMS) for cart in row.carts),
        *((cart.steps, row_type.MAX_STEPS) for cart in row.carts),
        *((cart.obstacles, row_type.MAX_OBSTACLES) for cart in row.carts),
        *((cart.evidence, row_type.MAX_EVIDENCE) for cart in row.carts),
        *((each.items, row_type.MAX_ORDER_ITEMS) for each in row.orders),
        *((window, row_type.MAX_SEEN) for window in row.seen.values()),
        *((buckets, TIERS[-2].keep) for buckets in row.counts.values()),
    ]
    assert all(len(held) <= bound for held, bound in bounded)
    assert [each.last_at for each in row.carts] == sorted(each.last_at for each in row.carts)
    assert [each.placed_at for each in row.orders] == sorted(each.placed_at for each in row.orders)
    assert [each.start for each in row.sessions] == sorted(each.start for each in row.sessions)


@given(st.lists(happenings(2 * DAY), max_size=30), st.lists(happenings(2 * DAY), max_size=15))
def test_a_row_that_was_packed_and_unpacked_goes_on_to_the_same_bytes(
    before: list[Arrival], after: list[Arrival]
) -> None:
    kept = run(before)
    restored = unpack(pack(kept))
    assert restored == kept
    assert pack(run(after, row=restored)) == pack(run(after, row=kept))


@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(0, 40)), min_size=1, max_size=20),
    st.integers(0, 2 * HOUR),
)
@settings(max_examples=20)
def test_no_id_is_ever_applied_twice_however_full_the_window(
    moves: list[tuple[int, int]], patience: int
) -> None:
    row, clock, told = Customer(KEY), T0, []
    for number in range(row_type.MAX_SEEN + 300):
        forward, back = moves[number % len(moves)]
        clock += forward
        told.append(web("page_viewed", clock - back, event_id=f"e{number}"))
        fold(row, told[-1], clock, {"web": patience})
    assert len(row.seen.get("web", ())) <= row_type.MAX_SEEN
    assert all(fold(row, each, clock, {"web": patience}) != "applied" for each in told)
