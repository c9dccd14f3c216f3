"""What becomes of a record: an event, or a reason that helps and tells on nobody."""

import json
from typing import Literal

import pytest

from schemas.decoding import Decoder
from schemas.event import Event
from schemas.rejection import MAX_CLAIM, Rejected
from schemas.touchpoints import BUILT_IN, consent, orders, web
from schemas.touchpoints.orders import OrderPlaced
from schemas.touchpoints.touchpoint import Touchpoint
from schemas.touchpoints.web import ProductAdded
from schemas.upcasts import Payload

KEY = b"c:100200"
MAX_BYTES = 2_000


def payload(**changes: object) -> Payload:
    """An event of the web with these fields changed; `...` leaves one out."""
    whole: Payload = {
        "event_id": "e-1",
        "type": "product_added",
        "event_time": "2026-03-02T10:15:30.250Z",
        "customer_id": "100200",
        "source": "shop-web",
        "product": {"product_id": "p-1", "name": "Jamón", "price": 7.95, "quantity": 2},
    }
    return {name: value for name, value in {**whole, **changes}.items() if value is not ...}


def encoded(**changes: object) -> bytes:
    return json.dumps(payload(**changes), ensure_ascii=False).encode()


def product(**changes: object) -> Payload:
    return {**payload()["product"], **changes}


@pytest.fixture(scope="module")
def web_decoder() -> Decoder:
    return Decoder(web.TOUCHPOINT, MAX_BYTES)


def test_a_good_record_becomes_its_event(web_decoder: Decoder) -> None:
    event = web_decoder.decode(KEY, encoded())
    assert isinstance(event, ProductAdded)
    assert event.product.price == 7.95


BAD_VALUES: list[tuple[str, bytes | None, str, str]] = [
    ("truncated JSON", encoded()[:-3], "truncated_json", ""),
    ("nothing at all", b"", "truncated_json", ""),
    ("JSON cut inside a character", encoded()[: encoded().index("ó".encode()) + 1], "truncated_json", ""),
    ("no JSON", b'{"event_id":"e-1",,}', "malformed_json", ""),
    ("a value that is not UTF-8", b'{"event_id":"\xff\xfe","x":1}', "malformed_json", ""),
    ("nested without end", b"[" * 1_000, "malformed_json", ""),
    ("a list", b"[1]", "not_an_object", ""),
    ("a bare null", b"null", "not_an_object", ""),
    ("text for an object", encoded(product="p-1"), "wrong_type", "/product"),
    ("a number for text", encoded(customer_id=100200), "wrong_type", "/customer_id"),
    ("text for a number", encoded(product=product(price="dear")), "wrong_type", "/product/price"),
    ("a number for a moment", encoded(event_time=1_772_446_530), "wrong_type", "/event_time"),
    ("a moment in digits", encoded(event_time="1772446530"), "invalid_value", "/event_time"),
    ("no event id", encoded(event_id=...), "missing_field", "/event_id"),
    ("no type", encoded(type=...), "missing_field", "/type"),
    ("no product id", encoded(product={"price": 1}), "missing_field", "/product/product_id"),
    ("an unknown type", encoded(type="teleported"), "unknown_type", "/type"),
    ("an order's type on the web", encoded(type="order_paid"), "unknown_type", "/type"),
    ("a newer schema version", encoded(schema_version=2), "unknown_schema_version", "/schema_version"),
    ("a version that is no number", encoded(schema_version="1"), "unknown_schema_version", "/schema_version"),
    ("no value", None, "null_value", ""),
    ("no identifier", encoded(customer_id=...), "no_identifier", ""),
    ("NaN", encoded(product=product(price=float("nan"))), "non_finite_number", "/product/price"),
    ("infinity", encoded(product=product(price=float("-inf"))), "non_finite_number", "/product/price"),
    ("1e999", encoded().replace(b"7.95", b"1e999"), "non_finite_number", "/product/price"),
    ("a negative price", encoded(product=product(price=-1)), "invalid_value", "/product/price"),
    ("a huge price", encoded(product=product(price=1e300)), "invalid_value", "/product/price"),
    ("no quantity at all", encoded(product=product(quantity=0)), "invalid_value", "/product/quantity"),
    ("a dust of a quantity", encoded(product=product(quantity=1e-9)), "invalid_value", "/product/quantity"),
    ("a moment without offset", encoded(event_time="2026-03-02T10:15:30"), "invalid_value", "/event_time"),
    ("a moment that means never", encoded(event_time="9999-12-31T23:59:59Z"), "invalid_value", "/event_time"),
    ("a moment before 1970", encoded(event_time="1969-12-31T23:59:59Z"), "invalid_value", "/event_time"),
    ("a record over the limit", encoded(title="x" * MAX_BYTES), "too_large", ""),
]


@pytest.mark.parametrize(
    ("value", "reason", "pointer"), [row[1:] for row in BAD_VALUES], ids=[row[0] for row in BAD_VALUES]
)
def test_bad_input_is_refused_with_its_own_reason_and_place(
    web_decoder: Decoder, value: bytes | None, reason: str, pointer: str
) -> None:
    rejected = web_decoder.decode(KEY, value)
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.pointer) == (reason, pointer)
    assert rejected.message


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (None, "bad_key"),
        (b"\xff\xfe", "bad_key"),
        (b"c:100201", "key_mismatch"),
        (b"100200", "key_mismatch"),
        (b"a:100200", "key_mismatch"),
        (b"c:100200 ", "key_mismatch"),
    ],
)
def test_the_key_must_be_the_customers(web_decoder: Decoder, key: bytes | None, reason: str) -> None:
    rejected = web_decoder.decode(key, encoded())
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.source, rejected.event_id) == (reason, "shop-web", "e-1")


@pytest.mark.parametrize(
    ("identifiers", "key"),
    [
        ({"customer_id": "1", "loyalty_card": "2", "anonymous_id": "3"}, b"c:1"),
        ({"customer_id": None, "loyalty_card": "2", "anonymous_id": "3"}, b"l:2"),
        ({"customer_id": None, "email_hash": "a" * 64, "phone_hash": "b" * 64}, b"e:" + b"a" * 64),
        ({"customer_id": None, "phone_hash": "b" * 64, "device_id": "4"}, b"t:" + b"b" * 64),
        ({"customer_id": None, "device_id": "4", "anonymous_id": "3"}, b"d:4"),
        ({"customer_id": None, "anonymous_id": "ñ"}, "a:ñ".encode()),
    ],
)
def test_the_key_is_of_the_strongest_identifier(
    web_decoder: Decoder, identifiers: Payload, key: bytes
) -> None:
    assert isinstance(web_decoder.decode(key, encoded(**identifiers)), ProductAdded)


@pytest.mark.parametrize(
    "value",
    [
        encoded(product="p-1"),
        encoded(type="teleported"),
        encoded(schema_version=9),
        encoded()[:-3],
        encoded() + b"}",
        encoded(title="x" * MAX_BYTES),
        b'{"source":"shop-web","event_id":"e-1","ip":oops}',
        b'{\n"source":"shop-web",\n"event_id":"e-1",\n"ip":oops}',
    ],
)
def test_source_and_event_id_are_read_from_what_is_refused(web_decoder: Decoder, value: bytes) -> None:
    rejected = web_decoder.decode(KEY, value)
    assert isinstance(rejected, Rejected)
    assert (rejected.source, rejected.event_id) == ("shop-web", "e-1")


@pytest.mark.parametrize(
    ("claimed", "taken"), [("s" * 900, "s" * MAX_CLAIM), (7, None), ("", None), (["x"], None)]
)
def test_a_claimed_source_is_cut_and_never_anything_but_text(
    web_decoder: Decoder, claimed: object, taken: str | None
) -> None:
    rejected = web_decoder.decode(KEY, encoded(source=claimed, event_id=...))
    assert isinstance(rejected, Rejected)
    assert rejected.source == taken


def test_a_nested_source_is_not_taken_for_the_records_own(web_decoder: Decoder) -> None:
    value = encoded(source=..., context={"campaign": {"source": "newsletter"}})[:-1]
    rejected = web_decoder.decode(KEY, value)
    assert isinstance(rejected, Rejected)
    assert rejected.source is None


def test_unknown_fields_are_counted_and_their_values_are_gone(web_decoder: Decoder) -> None:
    event = web_decoder.decode(KEY, encoded(ip="83.45.12.20", latitude=40.4168, basket={"a": 1}))
    assert isinstance(event, Event)
    assert event.unknown_fields == 3
    assert "83.45" not in str(event.to_json())
    assert "40.4" not in str(event.to_json())


def test_a_custom_event_drops_addresses_and_coordinates_at_any_depth(web_decoder: Decoder) -> None:
    properties = {
        "store": "Centro",
        "clientIp": "83.45.12.20",
        "places": [{"lat": 40.4168, "city": "Madrid"}],
    }
    event = web_decoder.decode(KEY, encoded(type="custom", name="Opened", properties=properties))
    assert isinstance(event, web.WebCustom)
    assert event.properties == {"store": "Centro", "places": [{"city": "Madrid"}]}


def test_a_mappings_key_never_stands_in_the_pointer(web_decoder: Decoder) -> None:
    rejected = web_decoder.decode(KEY, encoded(context={"consent": {"maria@example.com": "maybe"}}))
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.pointer) == ("wrong_type", "/context/consent")


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "Maria Ruiz"},
        {"event_time": "Maria Ruiz"},
        {"email_hash": "Maria Ruiz"},
        {"schema_version": "Maria Ruiz"},
        {"product": "Maria Ruiz"},
        {"product": {"product_id": "p-1", "price": "Maria Ruiz"}},
        {"context": {"consent": {"Maria Ruiz": "Maria Ruiz"}}},
        {"event_id": "Maria Ruiz" * 50},
    ],
)
def test_a_refusal_never_repeats_what_the_record_says(web_decoder: Decoder, changes: Payload) -> None:
    rejected = web_decoder.decode(KEY, encoded(**changes))
    assert isinstance(rejected, Rejected)
    assert "Maria" not in rejected.message + rejected.pointer


def test_a_touchpoint_of_one_class_names_its_unknown_type() -> None:
    value = encoded(type="perhaps", purpose="marketing", evidence="form")
    rejected = Decoder(consent.TOUCHPOINT, MAX_BYTES).decode(KEY, value)
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.pointer) == ("unknown_type", "/type")


@pytest.mark.parametrize("touchpoint", BUILT_IN, ids=lambda each: each.name)
def test_every_type_belongs_to_one_class_only(touchpoint: Touchpoint) -> None:
    assert len(touchpoint.types) == len(set(touchpoint.types)) > 0


class Renamed(Event):
    type: Literal["renamed"]
    product_id: str


def _one_to_two(old: Payload) -> Payload:
    return {**{name: value for name, value in old.items() if name != "sku"}, "product_id": old["sku"].strip()}


SECOND = Touchpoint("renamed", Renamed, 0, schema_version=2, upcasters={1: _one_to_two})


@pytest.mark.parametrize("version", [1, ...])
def test_an_event_of_an_earlier_version_is_lifted(version: object) -> None:
    value = encoded(type="renamed", product=..., sku=" p-1", schema_version=version)
    event = Decoder(SECOND, MAX_BYTES).decode(KEY, value)
    assert isinstance(event, Renamed)
    assert (event.product_id, event.schema_version, event.unknown_fields) == ("p-1", 2, 0)


def test_an_earlier_version_is_lifted_even_if_it_happens_to_fit_the_present_one() -> None:
    value = encoded(type="renamed", product=..., sku="new", product_id="old", schema_version=1)
    event = Decoder(SECOND, MAX_BYTES).decode(KEY, value)
    assert isinstance(event, Renamed)
    assert event.product_id == "new"


@pytest.mark.parametrize(
    ("changes", "reason", "pointer"),
    [
        ({"schema_version": 3}, "unknown_schema_version", "/schema_version"),
        ({"schema_version": True}, "unknown_schema_version", "/schema_version"),
        ({"schema_version": 1, "sku": ...}, "invalid_value", "/schema_version"),
        ({"schema_version": 1, "sku": 5}, "invalid_value", "/schema_version"),
        ({"schema_version": 1, "event_id": ...}, "missing_field", "/event_id"),
        ({"schema_version": 2}, "missing_field", "/product_id"),
    ],
)
def test_what_cannot_be_lifted_is_refused(changes: Payload, reason: str, pointer: str) -> None:
    value = encoded(**{"type": "renamed", "product": ..., "sku": "p-1", **changes})
    rejected = Decoder(SECOND, MAX_BYTES).decode(KEY, value)
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.pointer, rejected.source) == (reason, pointer, "shop-web")


def test_a_native_order_is_read_on_its_own_topic() -> None:
    value = encoded(type="order_placed", product=..., order_id="o", total=1, items=[{"product_id": "p"}])
    assert isinstance(Decoder(orders.TOUCHPOINT, MAX_BYTES).decode(KEY, value), OrderPlaced)
