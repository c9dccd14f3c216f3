"""Laws of the contract: any bytes get a verdict, what is encoded is decoded, no place leaves its trace."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.action import Action, ActionCancelled, BusinessKey, Content, from_kafka, to_kafka
from schemas.dead_letter import DeadLetter, Origin
from schemas.decoding import Decoder
from schemas.event import Event, Product, customer_key
from schemas.redaction import coarsened
from schemas.rejection import Rejected
from schemas.touchpoints import BUILT_IN, orders, web

GOLDEN = Path(__file__).parents[1] / "golden" / "events"
DECODERS = {each.name: Decoder(each, 1 << 16) for each in BUILT_IN}
PAYLOADS = [
    (path.parent.name if path.parent.name in DECODERS else "web", json.loads(path.read_bytes()))
    for path in sorted(GOLDEN.glob("*/*.json"))
    if not path.name.endswith(".event.json")
]
SECRET = "Zq7-Maria"

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(SECRET)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
keys = st.none() | st.binary(max_size=20)


def _places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path in a JSON value."""
    inner: dict[Any, object] = value if isinstance(value, dict) else {}
    if isinstance(value, list):
        inner = dict(enumerate(value))
    return [path] + [place for name, member in inner.items() for place in _places(member, (*path, name))]


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """A golden payload in which something was replaced, left out or added."""
    name, payload = draw(st.sampled_from(PAYLOADS))
    whole = json.loads(json.dumps(payload))
    path = draw(st.sampled_from(_places(whole)[1:]))
    holder = whole
    for step in path[:-1]:
        holder = holder[step]
    if draw(st.booleans()):
        holder[path[-1]] = draw(values)
    else:
        del holder[path[-1]]
    whole[draw(st.text(max_size=8))] = draw(values)
    return name, json.dumps(whole).encode()


@given(st.sampled_from(sorted(DECODERS)), keys, st.none() | st.binary(max_size=200))
def test_any_bytes_get_a_verdict(name: str, key: bytes | None, value: bytes | None) -> None:
    assert isinstance(DECODERS[name].decode(key, value), Event | Rejected)


@given(st.sampled_from(sorted(DECODERS)), values)
def test_any_json_gets_a_verdict(name: str, value: object) -> None:
    assert isinstance(DECODERS[name].decode(b"c:1", json.dumps(value).encode()), Event | Rejected)


@given(damaged())
def test_a_damaged_event_gets_a_verdict_that_tells_nothing_of_what_it_held(case: tuple[str, bytes]) -> None:
    name, value = case
    verdict = DECODERS[name].read(value)
    if isinstance(verdict, Rejected):
        assert SECRET not in verdict.message
        assert SECRET not in verdict.pointer
        assert re.fullmatch(r"(/[a-zA-Z_]+|/\d+)*", verdict.pointer)
    else:
        assert isinstance(verdict, Event)


@given(st.sampled_from(PAYLOADS), st.data())
def test_an_event_cut_anywhere_is_truncated(case: tuple[str, dict[str, Any]], data: st.DataObject) -> None:
    name, payload = case
    value = json.dumps({**payload, "note": "jamón ✓"}, ensure_ascii=False).encode()
    cut = value[: data.draw(st.integers(0, len(value) - 1))]
    verdict = DECODERS[name].decode(b"c:100200", cut)
    assert isinstance(verdict, Rejected)
    assert verdict.reason == "truncated_json"


identifiers = st.text(min_size=1, max_size=128)
moments = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
texts = st.text(max_size=50)
amounts = st.floats(0, 1e9)
products = st.builds(
    Product,
    product_id=identifiers,
    name=st.none() | texts,
    price=st.none() | amounts,
    quantity=st.floats(0.001, 1e6),
)
envelopes = {
    "event_id": identifiers,
    "event_time": moments,
    "sent_at": st.none() | moments,
    "customer_id": st.none() | identifiers,
    "loyalty_card": st.none() | identifiers,
    "email_hash": st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
    "anonymous_id": identifiers,
    "source": identifiers,
}
events = st.one_of(
    st.builds(web.Searched, query=texts, results=st.integers(0, 10**6), **envelopes),
    st.builds(web.CartUpdated, products=st.lists(products, max_size=3), **envelopes),
    st.builds(
        orders.OrderRefunded,
        order_id=identifiers,
        amount=amounts,
        **envelopes,
    ),
)


@given(events)
def test_what_is_encoded_is_decoded(event: Event) -> None:
    decoder = DECODERS["orders" if isinstance(event, orders.OrderEvent) else "web"]
    key = customer_key(event)
    assert key is not None
    assert decoder.decode(key.encode(), event.to_json()) == event
    assert isinstance(decoder.decode(key.encode() + b"x", event.to_json()), Rejected)


actions = st.builds(
    Action,
    action_id=identifiers,
    customer_key=identifiers,
    identifiers=st.dictionaries(st.sampled_from(["customer_id", "device_id"]), identifiers),
    business_key=st.builds(
        BusinessKey, kind=st.sampled_from(["cart", "order", "item", "customer"]), id=identifiers
    ),
    priority=st.integers(0, 100),
    content=st.builds(Content, products=st.lists(products, max_size=2).map(tuple)),
    valid_from=moments,
    expires_at=moments,
)
cancellations = st.builds(ActionCancelled, action_id=identifiers, customer_key=identifiers, at=moments)


@given(actions | cancellations)
def test_an_action_comes_back_from_kafka_as_it_went(message: Action | ActionCancelled) -> None:
    key, value, headers = to_kafka(message)
    assert from_kafka(value, headers) == message
    assert key.decode() == message.customer_key


@given(st.none() | st.binary(max_size=50), st.none() | st.binary(max_size=50))
def test_a_dead_letter_keeps_the_very_bytes(key: bytes | None, value: bytes | None) -> None:
    letter = DeadLetter(
        origin=Origin(topic="touchpoints.web", partition=0, offset=7, appended_at=1),
        source=None,
        event_id=None,
        reason="truncated_json",
        message="",
        key=key,
        value=value,
    )
    assert DeadLetter.from_json(letter.to_json()) == letter


octets = st.integers(0, 255)
ipv4 = st.tuples(octets, octets, octets, st.integers(1, 255)).map(lambda four: ".".join(map(str, four)))
ipv6 = st.ip_addresses(v=6).filter(lambda address: int(address) & ((1 << 80) - 1) != 0).map(str)
coordinates = (
    st.integers(-18_000_000, 18_000_000).filter(lambda scaled: scaled % 10_000).map(lambda n: n / 1e5)
)
address_names = st.sampled_from(["ip", "ipAddress", "clientIp", "client_ip", "x-forwarded-for"])
coordinate_names = st.sampled_from(["lat", "lon", "latitude", "longitude", "geo_lat", "coordinates"])
bystanders = st.none() | st.booleans() | st.integers() | st.text(max_size=20)


@st.composite
def located(draw: st.DrawFn) -> tuple[dict[str, Any], list[str]]:
    """A payload with addresses and coordinates somewhere in it, and patterns of what must not be left of them."""
    address = draw(ipv4 | ipv6)
    place = draw(st.lists(coordinates, min_size=1, max_size=2))
    told: dict[str, Any] = {draw(address_names): address, "n": draw(bystanders)}
    told[draw(coordinate_names)] = draw(st.sampled_from([place, place[0], str(place[0])]))
    for name in draw(st.lists(st.sampled_from(["context", "properties", "raw"]), max_size=3)):
        told = {"before": draw(bystanders), name: [told] if draw(st.booleans()) else told}
    return told, [_beyond_48(address) if ":" in address else _beyond_24(address), *map(_fine, place)]


def _beyond_24(address: str) -> str:
    return rf"(?<!\d){re.escape(address.rpartition('.')[0])}\.[1-9]"


def _beyond_48(address: str) -> str:
    four = ":".join(address.split(":")[:4])
    return rf"(?<![:\w]){four if '::' not in four and not four.endswith(':') else address}(?![:\w])"


def _fine(coordinate: float) -> str:
    whole, _, decimals = f"{abs(coordinate):.5f}".partition(".")
    return rf"(?<![\d.]){whole}\.{decimals[:2]}"


@given(located(), st.sampled_from([None, 2]), st.data())
def test_no_address_or_coordinate_survives_even_in_cut_bytes(
    case: tuple[dict[str, Any], list[str]], indent: int | None, data: st.DataObject
) -> None:
    payload, traces = case
    value = json.dumps(payload, indent=indent).encode()
    cut = value[: data.draw(st.integers(0, len(value)))]
    coarse = coarsened(cut)
    for trace in traces:
        assert re.search(trace.encode(), coarse) is None
    assert coarsened(coarse) == coarse


@given(located())
def test_coarse_bytes_are_json_as_before(case: tuple[dict[str, Any], list[str]]) -> None:
    payload, _ = case
    assert _shape(json.loads(coarsened(json.dumps(payload).encode()))) == _shape(payload)


def _shape(value: object) -> object:
    if isinstance(value, dict):
        return {name: _shape(member) for name, member in value.items()}
    return [_shape(member) for member in value] if isinstance(value, list) else type(value).__name__


@given(st.binary(max_size=300))
def test_any_bytes_can_be_coarsened_once_and_for_all(original: bytes) -> None:
    coarse = coarsened(original)
    assert coarsened(coarse) == coarse


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters='.:"'), max_size=100))
def test_bytes_without_a_place_stay_as_they_are(text: str) -> None:
    assert coarsened(text.encode()) == text.encode()


@pytest.mark.parametrize("case", PAYLOADS, ids=lambda case: str(case[1].get("type")))
def test_the_damage_begins_with_a_good_event(case: tuple[str, dict[str, Any]]) -> None:
    assert isinstance(DECODERS[case[0]].read(json.dumps(case[1]).encode()), Event)
