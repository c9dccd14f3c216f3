import pytest

from schemas.counts import KINDS, TIERS, count
from schemas.customer import Customer
from streams.customers.counts import add
from tests.unit.customers.builders import DAY, HOUR, KEY, MINUTE, T0

START = T0 - T0 % DAY


@pytest.mark.parametrize(
    ("window", "width"),
    [(HOUR, 5 * MINUTE), (DAY, HOUR), (7 * DAY, HOUR), (30 * DAY, DAY), (90 * DAY, DAY)],
)
def test_a_window_counts_from_the_first_whole_bucket_in_it_up_to_now(window: int, width: int) -> None:
    row, now = Customer(KEY), START + 100 * DAY
    for at in (now - window + width - 1, now - window + width, now - 1, now):
        add(row, "views", at)
    assert count(row, "views", window, now) == 3
    assert count(row, "views", window, now + width - 1) == 3
    assert count(row, "views", window, now + width) == 2


def test_what_happened_after_the_asked_moment_is_not_counted() -> None:
    row = Customer(KEY)
    add(row, "events", START)
    add(row, "events", START + 5 * MINUTE)
    assert count(row, "events", HOUR, START) == 1


def test_kinds_are_counted_apart_and_unknown_ones_are_zero() -> None:
    row = Customer(KEY)
    add(row, "views", START)
    assert [count(row, kind, DAY, START) for kind in KINDS] == [int(kind == "views") for kind in KINDS]


def test_more_than_ninety_days_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="90 days"):
        count(Customer(KEY), "events", 90 * DAY + 1, START)


def test_buckets_are_bounded_however_long_the_customer_stays() -> None:
    row = Customer(KEY)
    for step in range(4 * 24 * 12):
        add(row, "events", START + step * 5 * MINUTE)
    for days in range(400):
        add(row, "events", START + days * DAY)
    assert {name: len(buckets) for name, buckets in row.counts.items()} == {
        "events/5m": 1,
        "events/1h": 8,
        "events/1d": 92,
    }
    for step in range(300 * 24):
        add(row, "events", START + 400 * DAY + step * HOUR // 4)
    assert all(len(row.counts[f"events{tier.suffix}"]) <= tier.keep for tier in TIERS)


def test_what_is_too_old_to_be_asked_for_is_not_kept() -> None:
    row = Customer(KEY)
    add(row, "events", START + 200 * DAY)
    before = {name: dict(buckets) for name, buckets in row.counts.items()}
    add(row, "events", START)
    assert row.counts == before
