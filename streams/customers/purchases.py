"""Purchase history: how many, how recently, in what rhythm, for how much."""

from itertools import pairwise

from schemas.customer import Customer, Order, Purchases
from schemas.event import Millis

_DAY = 86_400_000


def net(order: Order) -> float:
    """What the order brings in: its total less refunds; nothing if cancelled, a follow-up or not yet placed.

    Currencies are added up as they are: a row is of one shop.
    """
    if not order.is_purchase or order.cancelled_at is not None:
        return 0.0
    return max(order.total - order.refunded, 0.0)


def record(row: Customer, at: Millis) -> None:
    """Count a purchase at `at`, ms; its order already stands in `row.orders`.

    Orders of one day (UTC) are one purchase of the rhythm, as in the data that the literature's models are
    fitted to (Fader, Hardie and Lee 2005): a second one says nothing of when the customer comes again. In
    order, mean and M2 of the gaps follow Welford's recurrence (Welford 1962, "Note on a method for calculating
    corrected sums of squares and products", Technometrics 4:3; Knuth, TAOCP 2, 4.2.2). Out of order, the
    recurrence is run again over the orders that the row still keeps if those are all, so that any order of
    arrival gives the same numbers; if some are gone, a day on which no kept order stands counts as new, the
    mean is (last day - first day) / gaps, which is exact for it, and M2 stays.
    """
    purchases = row.purchases
    purchases.count += 1
    if purchases.first_at is None or purchases.last_at is None:
        purchases.first_at = purchases.last_at = at
        return
    if at >= purchases.last_at:
        _gap(purchases, at // _DAY - purchases.last_at // _DAY)
        purchases.last_at = at
        return
    purchases.first_at = min(purchases.first_at, at)
    days = [order.placed_at // _DAY for order in row.orders if order.is_purchase]
    if len(days) == purchases.count:
        purchases.gaps, purchases.gap_mean, purchases.gap_m2 = 0, 0.0, 0.0
        for earlier, later in pairwise(days):
            _gap(purchases, later - earlier)
    elif days.count(at // _DAY) == 1:
        purchases.gaps += 1
        first, last = purchases.first_at // _DAY, purchases.last_at // _DAY
        purchases.gap_mean = (last - first) / purchases.gaps


def _gap(purchases: Purchases, days: int) -> None:
    if not days:
        return
    purchases.gaps += 1
    delta = days - purchases.gap_mean
    purchases.gap_mean += delta / purchases.gaps
    purchases.gap_m2 += delta * (days - purchases.gap_mean)
