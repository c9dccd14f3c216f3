"""No timer is ever lost: each family keeps its bound, whatever customers do, and the bounds fit in a row."""

from collections import Counter
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.action import moment
from schemas.customer import MAX_HELD, MAX_PENDING, MAX_TIMERS, Customer
from schemas.event import Event, Millis
from schemas.touchpoints import BUILT_IN
from streams.decisions import hold, labels
from streams.decisions.advance import ring, take
from streams.decisions.effects import Effects
from streams.triggers.circumstances import Circumstances
from streams.triggers.families import FAMILIES
from tests.unit.decisions.builders import AT, DAY, HOUR, MINUTE, arrival, circumstances, customer

BOUNDS = {
    **{family.NAME: family.TIMERS for family in FAMILIES},
    hold.FAMILY: MAX_HELD,
    labels.FAMILY: MAX_PENDING,
}
_CONTRACTS = {each.name: each.event for each in BUILT_IN}
_PRODUCT = {"product_id": "p1", "price": 10.0}
_ITEM = {"item_id": "p1", "quantity": 1.0}

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "product_viewed": ("web", {"product": _PRODUCT}),
    "product_added": ("web", {"product": _PRODUCT}),
    "checkout_started": ("web", {}),
    "order_placed": ("orders", {"items": [_PRODUCT | {"quantity": 3.0}], "total": 30.0}),
    "item_shipped": ("orders", _ITEM),
    "item_backordered": ("orders", {**_ITEM, "promised_at": moment(AT + 90 * DAY)}),
    "item_delivered": ("orders", _ITEM),
    "follow_up": ("orders", {"items": [_PRODUCT], "total": 0.0}),
}


class Life:
    """One customer, of whom many carts and orders are told, with timers rung as a task rings them."""

    def __init__(self, given: Circumstances) -> None:
        self.row: Customer = customer("marketing", "profiling")
        self.given, self.effects, self.now, self.events = given, Effects(), AT, 0

    def tell(self, kind: str, number: int) -> None:
        touchpoint, fields = KINDS[kind]
        self.events += 1
        event: Event = msgspec.convert(
            {
                "event_id": f"e{self.events}",
                "event_time": moment(self.now),
                "source": "test",
                "customer_id": "1",
                "type": "order_placed" if kind == "follow_up" else kind,
                **({"follows_order_id": f"o{number - 1}"} if kind == "follow_up" else {}),
                **({"order_id": f"o{number}"} if touchpoint == "orders" else {}),
                **({"cart_id": f"k{number}"} if touchpoint == "web" and kind != "product_viewed" else {}),
                **fields,
            },
            _CONTRACTS[touchpoint],
        )
        take(self.row, arrival(event, touchpoint, self.now), self.now, self.given, self.effects)
        self.check()

    def until(self, then: Millis) -> None:
        while due := [(at, timer) for timer, at in self.row.timers.items() if at <= then]:
            at, timer = min(due)
            ring(self.row, timer, at, self.given, self.effects)
            self.check()
        self.now = then

    def check(self) -> None:
        kept = Counter(timer.partition(":")[0] for timer in self.row.timers)
        assert {family: many for family, many in kept.items() if many > BOUNDS[family]} == {}


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(KINDS)),
            st.integers(1, 30),
            st.integers(1, 14),
            st.sampled_from([0, MINUTE, 11 * MINUTE, 61 * MINUTE, 25 * HOUR, 20 * DAY]),
        ),
        max_size=25,
    ),
    st.sampled_from(["", "*", "abandonment"]),
)
def test_no_family_has_more_timers_than_it_says(
    bursts: list[tuple[str, int, int, Millis]], paused: str
) -> None:
    life = Life(circumstances(paused=paused))
    for kind, first, many, gap in bursts:
        for number in range(first, first + many):
            life.tell(kind, number)
        life.until(life.now + gap)


def test_the_fullest_row_keeps_a_timer_for_everything_that_it_still_holds() -> None:
    life = Life(circumstances(paused="*"))
    for number in range(40):
        for kind in KINDS:
            life.tell(kind, number)
    life.until(life.now + 11 * MINUTE)
    for number in range(40):
        for kind in ("product_added", "item_delivered"):
            life.tell(kind, number)
    asked = {f"post_purchase:delivery_mismatch:{order.order_id}" for order in life.row.orders}
    carts = {f"abandonment:cart:{cart.cart_id}" for cart in life.row.carts}
    assert (len(asked), len(carts)) == (12, 4)
    assert asked | carts <= set(life.row.timers)


def test_what_the_families_hold_together_fits_in_a_row() -> None:
    assert sum(BOUNDS.values()) <= MAX_TIMERS
