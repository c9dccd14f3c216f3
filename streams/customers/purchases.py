"""Purchase history: how many, how recently, in what rhythm, for how much."""

from itertools import pairwise
from math import sqrt

from schemas.customer import Customer, Order, Purchases
from schemas.event import Millis

_DAY = 86_400_000


def net(order: Order) -> float:
    """What the order brings in: its total less refunds; nothing if cancelled, a follow-up or not yet placed.

    Currencies are added up as they are: a row is of one shop.
    """
    if not order.event_id or order.follows is not None or order.cancelled_at is not None:
        return 0.0
    return max(order.total - order.refunded, 0.0)


def spread_days(purchases: Purchases) -> float | None:
    """Sample standard deviation of the gaps, in days; None below two gaps."""
    return sqrt(purchases.gap_m2 / (purchases.gaps - 1)) if purchases.gaps > 1 else None


def record(row: Customer, at: Millis) -> None:
    """Count a purchase at `at`, ms; its order already stands in `row.orders`.

    Gaps lie between purchases in event time. In order, their mean and M2 follow Welford's recurrence (Welford
    1962, "Note on a method for calculating corrected sums of squares and products", Technometrics 4:3; Knuth,
    TAOCP 2, 4.2.2). Out of order, the recurrence is run again over the orders that the row still keeps if
    those are all, so that any order of arrival gives the same five numbers; if some are gone, the mean is
    (last - first) / gaps, which is exact, and M2 stays.
    """
    purchases = row.purchases
    purchases.count += 1
    if purchases.first_at is None or purchases.last_at is None:
        purchases.first_at = purchases.last_at = at
        return
    if at >= purchases.last_at:
        _gap(purchases, at - purchases.last_at)
        purchases.last_at = at
        return
    purchases.first_at = min(purchases.first_at, at)
    times = [order.placed_at for order in row.orders if order.event_id and order.follows is None]
    if len(times) == purchases.count:
        purchases.gaps, purchases.gap_mean, purchases.gap_m2 = 0, 0.0, 0.0
        for earlier, later in pairwise(times):
            _gap(purchases, later - earlier)
    else:
        purchases.gaps += 1
        purchases.gap_mean = (purchases.last_at - purchases.first_at) / purchases.gaps / _DAY


def _gap(purchases: Purchases, gap_ms: Millis) -> None:
    gap = gap_ms / _DAY
    purchases.gaps += 1
    delta = gap - purchases.gap_mean
    purchases.gap_mean += delta / purchases.gaps
    purchases.gap_m2 += delta * (gap - purchases.gap_mean)
