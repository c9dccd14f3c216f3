"""An action on the wire: CloudEvents 1.0 in Kafka's binary mode, keyed by customer."""

from datetime import datetime

import pytest

from schemas.action import (
    Action,
    ActionCancelled,
    Bilingual,
    BusinessKey,
    Content,
    from_kafka,
    to_kafka,
)
from schemas.event import Product

FROM = datetime.fromisoformat("2026-03-02T11:15:30.250+01:00")
UNTIL = datetime.fromisoformat("2026-03-05T10:15:30+00:00")
ACTION = Action(
    action_id="act-1",
    trigger="abandonment.cart",
    customer_key="c:ñandú",
    identifiers={"customer_id": "ñandú"},
    business_key=BusinessKey(kind="cart", id="cart-31"),
    purpose="marketing",
    category="marketing",
    channel="email",
    template_id="cart-reminder",
    locale="es-ES",
    time_zone="Europe/Madrid",
    priority=50,
    content=Content(products=(Product(product_id="p-1", price=7.95),), facts={"step": "payment"}),
    reason_internal=Bilingual(es="carrito parado", en="idle cart"),
    reason_customer=Bilingual(es="Su cesta le espera", en="Your basket is waiting"),
    valid_from=FROM,
    expires_at=UNTIL,
    decision_id="d-1",
)
CANCELLED = ActionCancelled(
    action_id="act-1",
    trigger="abandonment.cart",
    customer_key="c:ñandú",
    channel="email",
    reason="purchased",
    at=UNTIL,
)


def test_an_actions_headers_are_those_of_cloudevents() -> None:
    _, _, headers = to_kafka(ACTION)
    assert dict(headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"act-1",
        "ce_source": b"/pulpero",
        "ce_type": b"pulpero.action.v1",
        "ce_time": b"2026-03-02T10:15:30.250Z",
        "ce_subject": b"abandonment.cart",
        "ce_expirytime": b"2026-03-05T10:15:30.000Z",
        "content-type": b"application/json",
        "channel": b"email",
    }


def test_a_cancellation_follows_under_the_same_key_with_an_id_of_its_own() -> None:
    key, _, headers = to_kafka(CANCELLED)
    assert key == to_kafka(ACTION)[0] == "c:ñandú".encode()
    assert dict(headers)["ce_id"] == b"act-1-cancelled"
    assert dict(headers)["ce_type"] == b"pulpero.action_cancelled.v1"
    assert "ce_expirytime" not in dict(headers)


@pytest.mark.parametrize("message", [ACTION, CANCELLED], ids=["action", "cancelled"])
def test_a_message_comes_back_as_it_was_sent(message: Action | ActionCancelled) -> None:
    _, value, headers = to_kafka(message)
    assert from_kafka(value, headers) == message


@pytest.mark.parametrize("headers", [[], [("ce_type", b"pulpero.action.v2")]])
def test_any_other_type_is_refused(headers: list[tuple[str, bytes]]) -> None:
    with pytest.raises(ValueError, match="ce_type"):
        from_kafka(to_kafka(ACTION)[1], headers)
