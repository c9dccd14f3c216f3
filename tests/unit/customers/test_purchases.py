from itertools import permutations
from statistics import mean, stdev

import pytest

from schemas.customer import MAX_ORDERS, Customer, Purchases
from schemas.event import Arrival
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
    assert purchases.gap_spread == pytest.approx(stdev(gaps))


def test_one_purchase_has_no_rhythm_and_two_no_spread() -> None:
    assert folded(bought(0)).purchases.gaps == 0
    assert folded(bought(0), bought(7)).purchases.gap_spread is None


def test_any_order_of_arrival_gives_the_same_numbers() -> None:
    told = [folded_loosely(each) for each in permutations([bought(each) for each in DAYS])]
    assert all(each == told[0] for each in told)


def test_orders_of_one_day_are_one_purchase_of_the_rhythm_whatever_their_order_of_arrival() -> None:
    days = (0, 0.25, 7, 7.1, 9)
    for told in permutations([bought(each) for each in days]):
        purchases = folded_loosely(told)
        assert (purchases.count, purchases.days, purchases.gaps) == (5, 3, 2)
        assert purchases.gap_mean == pytest.approx(mean((7, 2)))
        assert purchases.gap_spread == pytest.approx(stdev((7, 2)))


def test_a_day_is_one_of_utc() -> None:
    at_midnight = T0 // DAY * DAY + DAY
    evening, morning = (
        order("order_placed", at, f"O{at}", items=[product()], total=1)
        for at in (at_midnight - 1, at_midnight)
    )
    assert folded(evening, morning).purchases.gap_mean == 1.0


def test_without_a_purchase_there_is_no_day_with_one() -> None:
    assert (Purchases().days, folded(bought(0)).purchases.days) == (0, 1)


def test_with_orders_already_gone_a_day_that_is_known_is_no_new_one() -> None:
    days = [7 * each for each in range(MAX_ORDERS + 3)]
    purchases = folded_loosely([*(bought(each) for each in days), bought(days[-2] + 0.1)])
    assert purchases.count == len(days) + 1
    assert purchases.gaps == len(days) - 1
    assert purchases.gap_mean == pytest.approx(7)


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
