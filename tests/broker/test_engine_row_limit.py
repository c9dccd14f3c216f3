"""A customer whose row outgrows a record: the events that would make it so are dead letters, and nothing else is."""

import pytest

from schemas.customer import unpack
from schemas.topics import DEAD_LETTERS
from tests.broker.events import SECOND, START, added, event, key_of
from tests.broker.reading import read, rows
from tests.broker.workers import deployed

pytestmark = pytest.mark.broker

LIMIT = 4_096
GROWING = 40


def test_events_that_a_row_has_no_room_for_are_dead_letters_and_all_others_are_taken(kafka: str) -> None:
    settings = {"partitions": 1, "time": "events", "idle_ms": 20, "max_row_bytes": LIMIT}
    with deployed(kafka, **settings) as shop:
        for number in range(GROWING):
            at = START + number * SECOND
            product = {"product_id": f"p{number}", "name": "x" * 100, "price": 1}
            fills = event(f"e{number}", "anna", "product_added", at, cart_id="cart", product=product)
            shop.send("web", key_of("anna"), fills)
            shop.send("web", key_of("berta"), added(f"b{number}", "berta", at))
        worker = shop.start().await_ready()
        shop.await_taken()

        letters = [record.json for record in read(kafka, DEAD_LETTERS)]
        packed = rows(read(kafka, shop.changelog))
        anna, berta = (unpack(packed[key_of(customer).encode()]) for customer in ("anna", "berta"))
        kept = len(anna.carts[0].items)
        assert 0 < kept < GROWING
        assert len(packed[b"c:anna"]) <= LIMIT
        assert [item.product_id for item in anna.carts[0].items] == [f"p{number}" for number in range(kept)]
        assert {letter["reason"] for letter in letters} == {"row_too_large"}
        assert sorted(letter["event_id"] for letter in letters) == sorted(
            f"e{number}" for number in range(kept, GROWING)
        )
        assert berta.carts[0].items[0].quantity == GROWING
        assert worker.metric("consumed_total") == 2 * GROWING
        assert worker.metric("dead_total", reason="row_too_large") == GROWING - kept
        assert worker.metric("poison_total") == 0
        assert worker.stop() == 0, worker.said
