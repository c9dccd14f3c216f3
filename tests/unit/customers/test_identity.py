from typing import Any

import pytest

from schemas.customer import MAX_ALIASES, Identity
from schemas.zones import is_zone
from tests.unit.customers.builders import T0, folded, web


def seen(at: int, **fields: Any) -> Any:
    return web("page_viewed", at, **fields)


def test_every_identifier_and_the_way_to_meet_the_customer_are_filled() -> None:
    digest = "ab" * 32
    ids = {"loyalty_card": "L1", "email_hash": digest, "phone_hash": digest, "device_id": "D1"}
    context = {"locale": "es-MX", "time_zone": "America/Mexico_City"}
    assert folded(seen(T0, anonymous_id="A1", context=context, **ids)).identity == Identity(
        "C1", "L1", digest, digest, "D1", ["A1"], "es-MX", "America/Mexico_City"
    )


def test_the_newest_word_counts_and_an_older_one_only_fills_what_is_empty() -> None:
    row = folded(
        seen(T0 + 5, device_id="D1", context={"locale": "es"}),
        seen(T0 + 9, device_id="D2", context={"locale": "en"}),
        seen(
            T0 + 7, device_id="D3", loyalty_card="L1", context={"locale": "de", "time_zone": "Europe/Madrid"}
        ),
    )
    identity = row.identity
    assert (identity.device_id, identity.locale) == ("D2", "en")
    assert (identity.loyalty_card, identity.time_zone) == ("L1", "Europe/Madrid")


def test_anonymous_ids_stand_once_each_and_the_newest_stay() -> None:
    row = folded(*(seen(T0 + i, anonymous_id=f"A{i // 2}") for i in range(2 * MAX_ALIASES + 2)))
    assert row.identity.anonymous_ids == [f"A{i}" for i in range(1, MAX_ALIASES + 1)]


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "GMT+25", "europe/madrid"])
def test_a_zone_that_is_none_is_not_kept(zone: str) -> None:
    assert not is_zone(zone)
    assert folded(seen(T0, context={"time_zone": zone})).identity.time_zone is None
