"""Generated logs: two customers' events on all touchpoints, late ones too, and what happens around them."""

from typing import Any, NamedTuple

import msgspec
from hypothesis import strategies as st

from schemas.action import Action, moment
from schemas.event import Arrival, Event, Millis
from schemas.touchpoints import BUILT_IN
from tests.simulation.driver import Change, Entry, Task, Tick

START: Millis = 1_700_000_000_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
AFTERWARDS = 60 * DAY
"""Time that goes on after the last event, by the day, so that everything open comes to its end."""

_Kind = st.SearchStrategy[tuple[str, dict[str, Any]]]

_CONTRACTS = {each.name: each.event for each in BUILT_IN}


class Happening(NamedTuple):
    """One drawn step: how long after the one before, how late it is told, by whom, and what."""

    after: Millis
    late_by: Millis
    customer: int
    touchpoint: str
    fields: dict[str, Any]


def _product(number: int) -> dict[str, Any]:
    return {"product_id": f"p{number}", "price": 10.0, "category": "tea"}


_NUMBERS = st.integers(1, 2)
_CARTS = st.sampled_from([None, "k1", "k2"])
_ORDERS = st.sampled_from(["o1", "o2", "o3"])
_ITEMS = _NUMBERS.map("p{}".format)
_CHANNELS = st.sampled_from([None, "email", "app"])
_PROMISED = st.sampled_from([START - DAY, START + 2 * DAY, START + 20 * DAY]).map(moment)


def _kind(touchpoint: str, kind: str, **fields: st.SearchStrategy[Any]) -> _Kind:
    return st.fixed_dictionaries({"type": st.just(kind), **fields}).map(lambda given: (touchpoint, given))


_VIEWED = _kind("web", "product_viewed", product=_NUMBERS.map(_product))
_ADDED = _kind("web", "product_added", product=_NUMBERS.map(_product), cart_id=_CARTS)
_FAILED = _kind("web", "payment_failed", cart_id=_CARTS)
_PLACED = _kind(
    "orders",
    "order_placed",
    order_id=_ORDERS,
    cart_id=_CARTS,
    total=st.just(20.0),
    items=st.lists(_NUMBERS.map(_product), min_size=1, max_size=2, unique_by=str),
    follows_order_id=st.sampled_from([None, None, None, "o1"]),
)
_SHIPPED = _kind("orders", "item_shipped", order_id=_ORDERS, item_id=_ITEMS)
_DELIVERED = _kind("orders", "item_delivered", order_id=_ORDERS, item_id=_ITEMS)
_BACKORDERED = _kind("orders", "item_backordered", order_id=_ORDERS, item_id=_ITEMS, promised_at=_PROMISED)
_SAID = {"purpose": st.sampled_from(["marketing", "profiling"]), "channel": _CHANNELS}
_SEEN = st.sampled_from([{"consent": {"profiling": False}}, {"consent": {"marketing": True}}])
_WITHDRAWN = _kind("consent", "withdrawn", evidence=st.just("call"), **_SAID)
_KINDS = st.one_of(
    _kind("web", "checkout_started", cart_id=_CARTS),
    _kind("web", "page_viewed", context=_SEEN),
    _kind("orders", "order_cancelled", order_id=_ORDERS),
    _kind("consent", "granted", evidence=st.just("form"), **_SAID),
    _WITHDRAWN,
)
_AROUND = _kind(
    "around",
    "change",
    paused=st.sampled_from(["", "*", "abandonment", "churn_risk"]),
    stale=st.sampled_from(["", "orders"]),
)
_AFTER = st.sampled_from([0, 1_000, 20 * MINUTE, 50 * MINUTE, 70 * MINUTE, 5 * HOUR, DAY, 9 * DAY, 35 * DAY])
_LATE_BY = st.sampled_from([0, 0, 0, 0, 0, 10 * MINUTE, 3 * HOUR, 2 * DAY])
_SOON = st.sampled_from([1_000, 5 * MINUTE, 40 * MINUTE])
_SILENT = st.sampled_from([50 * MINUTE, 70 * MINUTE, DAY])


def _story(after: st.SearchStrategy[Millis], *kinds: _Kind) -> st.SearchStrategy[list[Happening]]:
    """One customer does these things in turn, each `after` the one before."""
    steps = st.tuples(*(st.tuples(after, _LATE_BY, kind) for kind in kinds))
    return st.builds(
        lambda customer, told: [Happening(when, late, customer, *kind) for when, late, kind in told],
        _NUMBERS,
        steps,
    )


_PASSING = _kind("web", "page_viewed")
_STORIES = st.one_of(
    _story(_SILENT, _ADDED, _PASSING, _ADDED, _PASSING),
    _story(_SOON, _ADDED, _FAILED),
    _story(_SILENT, _ADDED, _PASSING, _PLACED, _PLACED),
    _story(_SILENT, _ADDED, _PASSING, _WITHDRAWN),
    _story(_SILENT, _VIEWED, _VIEWED, _PASSING),
    _story(_SOON, _VIEWED, _VIEWED, _PLACED),
    _story(st.just(DAY), _PLACED, _SHIPPED, _DELIVERED),
    _story(st.just(50 * DAY), _PLACED, _PLACED, _PASSING),
    _story(_SOON, _PLACED, _BACKORDERED, _ADDED),
    _story(_AFTER, _KINDS),
    _story(_AFTER, _AROUND),
)
HAPPENINGS = st.lists(_STORIES, min_size=3, max_size=12).map(
    lambda told: [each for one in told for each in one]
)
WELCOMES = st.sampled_from([True, True, True, False]).map(lambda given: welcomed() if given else [])
"""Three of four logs begin with customers who allow everything."""
FEEDBACK = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.sampled_from([MINUTE, HOUR, DAY]),
        st.sampled_from(["sent", "bounced", "unsubscribed", "complained"]),
    ),
    max_size=4,
)
"""(which action, how long after it, what became of it)."""


def welcomed() -> list[Happening]:
    """Both customers allow everything at the start."""
    return [
        Happening(
            0,
            0,
            customer,
            "consent",
            {"type": "granted", "purpose": purpose, "evidence": "form", "channel": None},
        )
        for customer in (1, 2)
        for purpose in ("marketing", "profiling")
    ]


def log_of(happenings: list[Happening]) -> dict[str, list[Entry]]:
    """The happenings as topics."""
    log: dict[str, list[Entry]] = {name: [] for name in ("around", "clock", *_CONTRACTS)}
    at = START
    for nth, each in enumerate(happenings):
        at += each.after
        if each.touchpoint == "around":
            paused, stale = (frozenset(each.fields[name].split()) for name in ("paused", "stale"))
            log["around"].append(Change(at, paused, stale))
            continue
        _append(log, each.touchpoint, f"e{nth}", each.customer, at - each.late_by, each.fields)
    log["clock"] = [Tick(at + DAY * day) for day in range(1, AFTERWARDS // DAY)]
    if log["around"]:
        log["around"].append(Change(at + HOUR))
    return log


def with_feedback(
    log: dict[str, list[Entry]], task: Task, feedback: list[tuple[int, Millis, str]]
) -> dict[str, list[Entry]]:
    """The log and what the messaging services say of actions that a run over it emitted."""
    emitted = [each for one in task.outputs for each in one.actions if isinstance(each, Action)]
    told: dict[str, list[Entry]] = {**log, "messages": []}
    for nth, (which, after, kind) in enumerate(feedback):
        if emitted:
            action = emitted[which % len(emitted)]
            at = round(action.valid_from.timestamp() * 1000) + after
            fields = {"type": kind, "action_id": action.action_id, "channel": action.channel}
            _append(told, "messages", f"m{nth}", int(action.customer_key[2:]), at, fields)
    told["messages"].sort(key=lambda each: each.at)
    return told


def _append(
    log: dict[str, list[Entry]], touchpoint: str, name: str, customer: int, at: Millis, fields: dict[str, Any]
) -> None:
    envelope = {"event_id": name, "event_time": moment(at), "source": "sim", "customer_id": str(customer)}
    event: Event = msgspec.convert(envelope | fields, _CONTRACTS[touchpoint])
    log[touchpoint].append(
        Arrival(
            event=event,
            at=at,
            touchpoint=touchpoint,
            topic=f"touchpoints.{touchpoint}",
            offset=len(log[touchpoint]),
            key=f"c:{customer}".encode(),
            appended_at=at,
        )
    )
