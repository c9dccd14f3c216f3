"""What the churn model sees of a silence.

Names are fixed, values always finite and read from the row as it stands when predicted. Nothing of the outcome is
in it then: a purchase or the horizon's end comes later, and makes the label. Conventions: `log_x` is log(1 + x)
with x not below 0; days, seconds and money as the name says (money in the shop's currency); a flag is 0 or 1; an
unknown value is 0 beside a flag that says so. The rhythm of
the purchases is that of the whole history (`purchases` in the row); baskets and recent purchases reach as far as
the 12 orders that a row keeps.
"""

from models.bgnbd import silence
from models.transforms import days, log, logit
from schemas.counts import DAY, count
from schemas.customer import Customer, Order
from schemas.event import Millis

CHURN_HORIZON_MS: Millis = 90 * DAY

CHURN_FEATURES = (
    "log_purchases",  # days with purchases
    "one_purchase",  # flag: exactly one
    "log_silence_days",  # since the last purchase
    "log_age_days",  # since the first purchase
    "log_cadence_days",  # mean gap between purchases; 0 if unknown
    "log_spread_days",  # standard deviation of the gaps; 0 if unknown
    "spread_unknown",  # flag: fewer than two gaps
    "silence_to_cadence",  # log((silence + 1) / (cadence + 1)), days; 0 if no cadence
    "silence_z",  # (silence - cadence) / (spread + 1), days, within ±8; 0 if no spread
    "log_orders_30d",  # days with purchases
    "log_orders_60d",
    "log_orders_90d",
    "log_spend_30d",
    "log_spend_60d",
    "log_spend_90d",
    "momentum_orders",  # log of purchases in 90 d against the own long-run rate, each + 1
    "momentum_spend",  # the same of money
    "log_spend",  # of all purchases
    "log_order_value",  # mean value of a purchase
    "log_max_order",  # dearest kept order
    "log_items_per_purchase",  # mean lines on the kept days with purchases
    "log_troubled_items",  # lines backordered, cancelled or returned in the kept orders
    "log_unseen_days",  # since any activity
    "log_events_30d",  # any activity
    "log_events_90d",
    "bgnbd_logit",  # models/bgnbd.py, log-odds within ±9
    "silence_to_cadence_squared",
    "log_silence_squared",
    "silence_by_purchases",  # log_silence_days * log_purchases
    "silence_by_cadence",  # log_silence_days * log_cadence_days
)

_WINDOWS = (30, 60, 90)


def churn_features(row: Customer, now: Millis) -> dict[str, float]:
    """The features of a customer's silence, one value for each of CHURN_FEATURES, in that order."""
    bought = row.purchases
    cadence, spread = bought.gap_mean, bought.gap_spread
    quiet = days(bought.last_at, now)
    quiet_log, count_log, cadence_log = log(quiet), log(bought.days), log(cadence)
    ratio = quiet_log - cadence_log if bought.gaps else 0.0
    z = (quiet - cadence) / (spread + 1.0) if spread is not None else 0.0
    values = (
        count_log,
        float(bought.days == 1),
        quiet_log,
        log(days(bought.first_at, now)),
        cadence_log,
        log(spread or 0.0),
        float(spread is None),
        ratio,
        min(max(z, -8.0), 8.0),
        *_recent(row, now),
        *_baskets(row),
        log(days(row.last_seen or None, now)),
        log(count(row, "events", 30 * DAY, now)),
        log(count(row, "events", 90 * DAY, now)),
        logit(silence(bought.days, bought.first_at, bought.last_at, now, CHURN_HORIZON_MS)),
        ratio * ratio,
        quiet_log * quiet_log,
        quiet_log * count_log,
        quiet_log * cadence_log,
    )
    return dict(zip(CHURN_FEATURES, values, strict=True))


def _recent(row: Customer, now: Millis) -> tuple[float, ...]:
    bought, kept = row.purchases, _days_bought(row)
    today = now // DAY
    orders = [log(sum(today - window < day <= today for day in kept)) for window in _WINDOWS]
    spends = [log(_spend(row.orders, now - window * DAY, now)) for window in _WINDOWS]
    quarters = max(days(bought.first_at, now) / 90.0, 1.0)
    # Equal logarithms must leave nothing: where they always are, a scaler would blow their rounding up to one.
    return (
        *orders,
        *spends,
        round(orders[-1] - log(bought.days / quarters), 9),
        round(spends[-1] - log(bought.value / quarters), 9),
    )


def _days_bought(row: Customer) -> set[int]:
    return {order.placed_at // DAY for order in row.orders if order.is_purchase}


def _spend(orders: list[Order], since: Millis, now: Millis) -> float:
    return sum(order.total for order in orders if since < order.placed_at <= now)


def _baskets(row: Customer) -> tuple[float, ...]:
    orders, bought, kept = row.orders, row.purchases, len(_days_bought(row))
    lines = sum(len(order.items) for order in orders)
    troubled = sum(
        item.state in ("backordered", "cancelled", "returned") for order in orders for item in order.items
    )
    return (
        log(bought.value),
        log(bought.value / bought.days if bought.days else 0.0),
        log(max((order.total for order in orders), default=0.0)),
        log(lines / kept if kept else 0.0),
        log(troubled),
    )
