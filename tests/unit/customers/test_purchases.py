from itertools import permutations
from statistics import mean, stdev

import pytest

from schemas.customer import MAX_ORDERS, Customer, Purchases
from schemas.event import Arrival
from streams.customers.purchases import spread_days
from tests.unit.customers.builders import DAY, T0, folded, order, product

DAYS = (0, 7, 9, 30)


def bought(days: float, total: float = 10.0) -> Arrival:
    at = T0 + int(days * DAY)
    return order("order_placed", at, f"O{days}", items=[product()], total=total)


def test_count_recency_cadence_spread_and_value() -> None:
    purchases = folded(*(bought(each, 10.5) for each in DAYS)).purchases
    gaps = [7, 2, 21]
    assert (purchases.count, purchases.value, purchases.gaps) == (4, 42.0, 3)
    assert (purchases.first_at, purchases.last_at) == (T0, T0 + 30 * DAY)
    assert purchases.gap_mean == pytest.approx(mean(gaps))
    assert spread_days(purchases) == pytest.approx(stdev(gaps))


def test_one_purchase_has_no_rhythm_and_two_no_spread() -> None:
    assert folded(bought(0)).purchases.gaps == 0
    assert spread_days(folded(bought(0), bought(7)).purchases) is None


def test_any_order_of_arrival_gives_the_same_five_numbers() -> None:
    told = [folded_loosely(each) for each in permutations([bought(each) for each in DAYS])]
    assert all(each == told[0] for each in told)


def test_with_orders_already_gone_the_mean_of_an_old_purchase_is_still_exact() -> None:
    days = [7 * each for each in range(MAX_ORDERS + 3)]
    purchases = folded_loosely([*(bought(each) for each in days), bought(3)])
    assert purchases.count == len(days) + 1
    assert purchases.gap_mean == pytest.approx(days[-1] / len(days))
    assert purchases.first_at == T0


def folded_loosely(arrivals: "list[Arrival] | tuple[Arrival, ...]") -> Purchases:
    row = Customer("c:C1")
    for each in arrivals:
        folded(each, row=row)
    return row.purchases
