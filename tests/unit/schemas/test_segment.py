"""Segment's e-commerce spec v2 is read unchanged; each golden payload stands beside the event it becomes."""

import json
from pathlib import Path

import pytest

from schemas.decoding import Decoder
from schemas.event import Event
from schemas.rejection import Rejected
from schemas.touchpoints import consent, orders, web
from schemas.touchpoints.orders import OrderPlaced
from schemas.touchpoints.touchpoint import Touchpoint

GOLDEN = Path(__file__).parents[2] / "golden" / "events" / "segment"
PAYLOADS = sorted(each for each in GOLDEN.glob("*.json") if not each.name.endswith(".event.json"))
KEY = b"c:97980cfea0067"


def changed(name: str, **changes: object) -> bytes:
    """A golden payload with these fields changed; `...` leaves one out."""
    payload = {**json.loads((GOLDEN / f"{name}.json").read_bytes()), **changes}
    return json.dumps({field: value for field, value in payload.items() if value is not ...}).encode()


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    return Decoder(web.TOUCHPOINT, 1 << 18)


@pytest.mark.parametrize("path", PAYLOADS, ids=lambda path: path.stem)
def test_a_payload_becomes_its_golden_event(decoder: Decoder, path: Path) -> None:
    event = decoder.decode(KEY, path.read_bytes())
    assert isinstance(event, Event)
    said = json.loads(event.to_json())
    read = {"class": type(event).__name__, "unknown_fields": event.unknown_fields, **said}
    assert read == json.loads(path.with_suffix(".event.json").read_text())


@pytest.mark.parametrize("path", PAYLOADS, ids=lambda path: path.stem)
def test_an_address_and_a_place_leave_no_trace(decoder: Decoder, path: Path) -> None:
    event = decoder.decode(KEY, path.read_bytes())
    assert isinstance(event, Event)
    assert b"8.8.8.8" in path.read_bytes()
    assert b"40.2964197" in path.read_bytes()
    assert "8.8.8.8" not in repr(event)
    assert "40.29" not in repr(event)


@pytest.mark.parametrize("touchpoint", [web.TOUCHPOINT, orders.TOUCHPOINT], ids=["web", "orders"])
def test_an_order_is_an_order_on_whichever_topic_it_comes(touchpoint: Touchpoint) -> None:
    event = Decoder(touchpoint, 1 << 18).decode(KEY, (GOLDEN / "order_completed.json").read_bytes())
    assert isinstance(event, OrderPlaced)


def test_other_touchpoints_do_not_read_segment() -> None:
    rejected = Decoder(consent.TOUCHPOINT, 1 << 18).decode(KEY, (GOLDEN / "page.json").read_bytes())
    assert isinstance(rejected, Rejected)


def test_without_a_user_the_anonymous_id_is_the_key(decoder: Decoder) -> None:
    event = decoder.decode(b"a:507f191e810c19729de860ea", changed("product_added", userId=None))
    assert isinstance(event, Event)


@pytest.mark.parametrize(
    ("times", "event_time", "sent_at"),
    [
        ({"timestamp": "2026-03-02T10:00:00Z", "sentAt": "2026-03-02T10:00:05Z"}, "10:00:00", "10:00:05"),
        (
            {"originalTimestamp": "2026-03-02T09:00:00Z", "sentAt": "2026-03-02T10:00:05Z"},
            "09:00:00",
            "10:00:05",
        ),
        (
            {
                "timestamp": "2026-03-02T10:00:00Z",
                "originalTimestamp": "2026-03-02T09:00:00Z",
                "sentAt": "2026-03-02T10:00:05Z",
            },
            "10:00:00",
            None,
        ),
    ],
    ids=["from the library", "only the original time", "corrected by Segment"],
)
def test_the_clock_is_corrected_once(
    decoder: Decoder, times: dict[str, str], event_time: str, sent_at: str | None
) -> None:
    bare = {"timestamp": ..., "originalTimestamp": ..., "sentAt": ...}
    event = decoder.decode(KEY, changed("product_added", **{**bare, **times}))
    assert isinstance(event, Event)
    assert f"{event.event_time:%H:%M:%S}" == event_time
    assert (f"{event.sent_at:%H:%M:%S}" if event.sent_at else None) == sent_at


def test_identifiers_that_are_numbers_are_taken_as_text(decoder: Decoder) -> None:
    properties = {"order_id": 7, "total": 3, "products": [{"product_id": 11, "price": "1.50"}]}
    event = decoder.decode(b"c:42", changed("order_completed", userId=42, properties=properties))
    assert isinstance(event, OrderPlaced)
    assert (event.order_id, event.items[0].product_id, event.items[0].price) == ("7", "11", 1.5)


def test_properties_without_a_place_are_counted_and_dropped(decoder: Decoder) -> None:
    properties = {"product_id": "p", "gift_note": "para Luisa", "shelf": 3}
    event = decoder.decode(KEY, changed("product_added", properties=properties))
    assert isinstance(event, Event)
    assert event.unknown_fields == 2
    assert "Luisa" not in repr(event)


@pytest.mark.parametrize(
    ("name", "changes", "reason", "pointer"),
    [
        (
            "order_completed",
            {"properties": {"order_id": "o", "total": 1}},
            "missing_field",
            "/properties/products",
        ),
        (
            "order_completed",
            {"properties": {"order_id": "o", "total": 1, "products": [{"price": 1}]}},
            "missing_field",
            "/properties/products/0/product_id",
        ),
        (
            "order_completed",
            {"properties": {"order_id": "o", "total": 1, "products": "p"}},
            "wrong_type",
            "/properties/products",
        ),
        (
            "order_completed",
            {"properties": {"order_id": "o", "products": [{"sku": "p"}]}},
            "missing_field",
            "/properties/total",
        ),
        (
            "product_added",
            {"properties": {"product_id": "p", "price": float("nan")}},
            "non_finite_number",
            "/properties/price",
        ),
        ("product_added", {"properties": None}, "missing_field", "/properties/product_id"),
        ("product_added", {"properties": [1]}, "wrong_type", "/properties"),
        ("product_added", {"context": "es"}, "wrong_type", "/context"),
        ("product_added", {"context": {"timezone": 2}}, "wrong_type", "/context/timezone"),
        ("product_added", {"event": None}, "missing_field", "/event"),
        ("product_added", {"event": 5}, "wrong_type", "/event"),
        ("product_added", {"type": "tracks"}, "unknown_type", "/type"),
        ("product_added", {"type": 5}, "unknown_type", "/type"),
        ("product_added", {"messageId": None}, "missing_field", "/messageId"),
        ("product_added", {"messageId": "m" * 200}, "invalid_value", "/messageId"),
        ("product_added", {"timestamp": "today"}, "invalid_value", "/timestamp"),
        ("product_added", {"timestamp": None, "originalTimestamp": 5}, "wrong_type", "/originalTimestamp"),
        ("product_added", {"userId": None, "anonymousId": None}, "no_identifier", ""),
    ],
)
def test_a_refusal_names_the_field_as_segment_does(
    decoder: Decoder, name: str, changes: dict[str, object], reason: str, pointer: str
) -> None:
    rejected = decoder.decode(KEY, changed(name, **changes))
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.pointer) == (reason, pointer)


def test_what_is_refused_is_counted_for_the_library_that_wrote_it(decoder: Decoder) -> None:
    rejected = decoder.decode(KEY, changed("product_added", properties=None))
    assert isinstance(rejected, Rejected)
    assert (rejected.source, rejected.event_id) == ("segment:analytics.js", "ajs-product-added")


def test_a_native_event_that_speaks_of_message_ids_stays_native(decoder: Decoder) -> None:
    native = (GOLDEN.parent / "web" / "page_viewed.json").read_text().rstrip().removesuffix("}")
    event = decoder.decode(b"c:100200", f'{native},"messageId":"m-1"}}'.encode())
    assert isinstance(event, web.PageViewed)
    assert event.source == "shop-web"
