"""Whatever the contract lets in, a task takes: no exception, rows that read back, records that Kafka takes."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from models.scorers import cold_start
from schemas.action import moment
from schemas.customer import pack, unpack
from schemas.decoding import Decoder
from schemas.event import Arrival, Event, Millis, happened_at, types_of
from schemas.policy import Policy
from schemas.touchpoints import BUILT_IN
from streams.engine.batch import Batch
from streams.engine.outputs import Outputs
from streams.engine.state import TaskState
from streams.engine.store import Store
from streams.metrics import Metrics, Tally
from streams.triggers.circumstances import Circumstances
from streams.triggers.feeds import FeedTracker

START: Millis = 1_700_000_000_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
RECORD_BYTES = 1_000_000
LONG = "a long text"
"""Stands for one of the longest that there may be, so that what is drawn stays short."""
POLICY = Policy(version="t")
DECODERS = {each.name: Decoder(each, 1 << 22) for each in BUILT_IN}

_IDS = st.sampled_from(["a", "a:b", "b:c", "c", "%3A", "é" * 128, "\0", "~1/", "😀:"])
_MAYBE = st.none() | _IDS
_PIECES = st.sampled_from([0.001, 0.002, 1, 3, 7.1, 1e6])
_MONEY = st.sampled_from([0, 5e-324, 1e-9, 9.99, 1e9])
_TEXTS = st.sampled_from(["", "n", "{x}", LONG, "\0\u202e"])
_DATES = st.sampled_from(
    [
        "1970-01-01T00:00:00Z",
        "1970-01-01T14:00:00+14:00",
        "2023-11-10T00:00:00Z",
        "2023-11-20T00:00:00.123456-12:00",
        "2200-01-01T00:00:00Z",
        "2199-12-31T00:01:00-23:59",
    ]
)
_CONTEXTS = st.fixed_dictionaries(
    {
        "time_zone": st.sampled_from(["Etc/GMT-14", "Etc/GMT+12", "America", "../x", "\0", "é" * 64, ""]),
        "locale": st.sampled_from(["es-ES", "en", "tlh", "", "-", "é" * 35]),
        "consent": st.dictionaries(st.sampled_from(["marketing", "profiling", "x" * 999]), st.booleans()),
    }
)
_CHANNELS = st.sampled_from(["email", "site", "app", "sms", "social", "call"])

_PRODUCT_FIELDS = {
    **{"product_id": _IDS, "price": _MONEY, "quantity": _PIECES},
    **{"name": _TEXTS, "category": _TEXTS, "brand": _TEXTS},
}
_PRODUCTS = st.fixed_dictionaries(_PRODUCT_FIELDS)
_LINES = st.fixed_dictionaries({**_PRODUCT_FIELDS, "item_id": _MAYBE, "promised_at": st.none() | _DATES})


def _many(each: st.SearchStrategy[Any], least: int) -> st.SearchStrategy[Any]:
    """A few of them; or one, to be repeated under the same id, or (`numbered`) under as many ids."""
    few = st.lists(each, min_size=least, max_size=3)
    return st.one_of(few, few, each, each.map(lambda one: {**one, "numbered": True}))


def _repeated(one: dict[str, Any]) -> list[dict[str, Any]]:
    ids = [{"product_id": f"{n}:{n}", "item_id": f"{n}"} if "numbered" in one else {} for n in range(70)]
    return [{**one, **names} for names in ids]


_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    **{"cart_id": _MAYBE, "product": _PRODUCTS, "products": _many(_PRODUCTS, 0), "value": _MONEY},
    **{"step": _TEXTS, "query": _TEXTS, "coupon": _TEXTS, "reason": _TEXTS, "field": _TEXTS, "name": _TEXTS},
    **{
        "order_id": _IDS,
        "items": _many(_LINES, 1),
        "total": _MONEY,
        "amount": _MONEY,
        "currency": st.just("EUR"),
    },
    **{"promised_at": _DATES, "quantity": _PIECES, "substitute": _PRODUCTS, "follow_up_order_id": _MAYBE},
    **{"follows_order_id": _MAYBE, "results": st.sampled_from([0, 10**30]), "evidence": _TEXTS},
    **{"purpose": st.sampled_from(["profiling", "marketing"]), "channel": _CHANNELS, "action_id": _IDS},
}
_NOT_OF_ALL = {"item_id": _IDS, "channel": _CHANNELS}


def _kinds() -> list[tuple[str, str, st.SearchStrategy[dict[str, Any]]]]:
    """Every type of every touchpoint, with all that its class knows of."""
    found = []
    for touchpoint in BUILT_IN:
        for event in touchpoint.classes:
            known = {
                name: of for name, of in (_FIELDS | _NOT_OF_ALL).items() if name in event.__struct_fields__
            }
            for type_ in types_of(event):
                found.append((touchpoint.name, type_, st.fixed_dictionaries(known)))
    return found


_KINDS = [each for each in _kinds() for _ in range(8 if each[1] == "order_placed" else 1)]
_STEPS = [0, 1, 1_000, 10 * MINUTE, HOUR, DAY, 20 * DAY, 400 * DAY, -1, -MINUTE, -DAY]


@st.composite
def _payloads(draw: st.DrawFn) -> tuple[str, Millis, dict[str, Any]]:
    touchpoint, type_, fields = draw(st.sampled_from(_KINDS))
    common = {"type": type_, "source": draw(_IDS), "session_id": draw(_MAYBE), "context": draw(_CONTEXTS)}
    sent = {"sent_at": draw(_DATES)} if draw(st.integers(0, 9)) == 0 else {}
    return touchpoint, draw(st.sampled_from(_STEPS)), {**draw(fields), **common, **sent}


def _state() -> TaskState:
    given_ = Circumstances(
        policy=POLICY,
        policy_version="t",
        scorers=cold_start(),
        feeds=FeedTracker(POLICY.feeds),
        allowed_lateness_ms={each.name: each.allowed_lateness_ms for each in BUILT_IN},
    )
    return TaskState(0, 1, Store(1), given_, Tally(Metrics(CollectorRegistry())))


def _arrival(number: int, touchpoint: str, at: Millis, fields: dict[str, Any], customer: str) -> Arrival:
    payload = {
        **{"event_id": f"e{number}", "event_time": moment(at).isoformat(), "customer_id": customer},
        **fields,
        **{name: _repeated(of) for name in ("items", "products") if isinstance(of := fields.get(name), dict)},
    }
    text = json.dumps(payload).replace(LONG, "😀" * 1_024)
    key, value = f"c:{customer}".encode(), text.encode()
    event = DECODERS[touchpoint].decode(key, value)
    assert isinstance(event, Event), event
    topic = f"touchpoints.{touchpoint}"
    return Arrival(event, happened_at(event, at), touchpoint, topic, number, key, at, value)


def _written(state: TaskState, batch: Batch) -> None:
    """What the engine does with an advanced batch, and what must hold of it."""
    rows = Outputs("log", 1 << 20).pack(batch)
    for packed in rows.values():
        row = unpack(packed)
        assert pack(row) == packed
        assert all(-(2**63) <= due < 2**63 for due in row.timers.values())
    for record in Outputs("changelog", RECORD_BYTES).records(batch, rows, None, state.task_row()):
        assert len(record.value or b"") + len(record.key or b"") < RECORD_BYTES
    state.store.show(rows)


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(st.lists(_payloads(), min_size=1, max_size=40), _IDS, st.integers(1, 8))
def test_whatever_the_contract_lets_in_a_task_takes(
    payloads: list[tuple[str, Millis, dict[str, Any]]], customer: str, size: int
) -> None:
    state, at, arrivals = _state(), START, []
    for number, (touchpoint, after, fields) in enumerate(payloads):
        at += after
        arrivals.append(_arrival(number, touchpoint, at, fields, customer if number % 4 else "other"))
    for begin in range(0, len(arrivals), size):
        batch = Batch([*arrivals[begin : begin + size]])
        while not batch.is_done:
            state.advance(batch, size)
        _written(state, batch)
    batch = Batch([])
    while not state.advance_clock(at + 1_000 * DAY, batch):
        pass
    _written(state, batch)
