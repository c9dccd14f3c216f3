"""What the models see of a customer: fixed names, always finite, read from the row as it stands when predicted.

Nothing of the outcome is in the row then: a purchase or the horizon's end comes later, and makes the label.
Conventions: `log_x` is log(1 + x) with x not below 0; days, seconds and money as the name says (money in the
shop's currency); a flag is 0 or 1; an unknown value is 0 beside a flag that says so. Time of day is UTC.
History reaches as far as the row's bounds (schemas/customer.py): 8 sessions, 4 carts, 12 orders.
"""

import math
from itertools import pairwise
from typing import NamedTuple

from models.bgnbd import silence
from schemas.counts import DAY, count
from schemas.customer import Cart, Customer, Order, Session
from schemas.event import Millis

CART_HORIZON_MS: Millis = 7 * DAY
CHURN_HORIZON_MS: Millis = 90 * DAY

CART_FEATURES = (
    "log_items",  # distinct products in the cart
    "log_pieces",  # pieces in the cart
    "log_value",  # cart.value
    "log_max_price",  # dearest product's price
    "log_categories",  # distinct categories in the cart, unknown being one
    "reached_checkout",  # flag: cart.stage
    "log_steps",  # checkout steps seen
    "log_cart_age_s",  # from the cart's opening to its last event
    "log_left_s",  # from the cart's last event to now
    "payment_failed",  # flags: obstacles met
    "out_of_stock",
    "coupon_refused",
    "form_error",
    "log_session_s",  # newest session: first to last event
    "log_session_events",
    "log_session_views",
    "log_session_adds",
    "log_earlier_sessions",  # sessions before the newest
    "log_session_gap_days",  # from the session before to the newest
    "log_other_carts",  # other carts that did not become orders
    "log_viewed",  # distinct products looked at recently
    "log_views_7d",
    "log_adds_30d",  # products put into carts
    "log_checkouts_90d",
    "log_problems_7d",  # obstacles shown
    "log_purchases",
    "log_order_value",  # mean value of a purchase
    "log_silence_days",  # since the last purchase; 0 if none
    "log_age_days",  # since the customer was first seen
    "hour_sin",  # time of day
    "hour_cos",
    "weekend",  # flag
)

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


def cart_features(row: Customer, cart: Cart, now: Millis) -> dict[str, float]:
    """The features of a left cart, one value for each of CART_FEATURES, in that order."""
    prices = [item.price for item in cart.items if item.price is not None]
    met = {obstacle.kind for obstacle in cart.obstacles}
    bought = row.purchases
    hour = 2 * math.pi * (now % DAY) / DAY
    values = (
        _log(len(cart.items)),
        _log(sum(item.quantity for item in cart.items)),
        _log(cart.value),
        _log(max(prices, default=0.0)),
        _log(len({item.category for item in cart.items})),
        float(cart.stage == "checkout"),
        _log(len(cart.steps)),
        _log((cart.last_at - cart.opened_at) / 1_000),
        _log((now - cart.last_at) / 1_000),
        float("payment_failed" in met),
        float("out_of_stock" in met),
        float("coupon_refused" in met),
        float("form_error" in met),
        *_sessions(row.sessions),
        _log(len(row.carts) - 1),
        _log(len(row.viewed)),
        _log(count(row, "views", 7 * DAY, now)),
        _log(count(row, "adds", 30 * DAY, now)),
        _log(count(row, "checkouts", 90 * DAY, now)),
        _log(count(row, "problems", 7 * DAY, now)),
        _log(bought.count),
        _log(bought.value / bought.count if bought.count else 0.0),
        _log(_days(bought.last_at, now)),
        _log(_days(row.first_seen, now)),
        math.sin(hour),
        math.cos(hour),
        float((now // DAY + 3) % 7 >= 5),
    )
    return dict(zip(CART_FEATURES, values, strict=True))


def churn_features(row: Customer, now: Millis) -> dict[str, float]:
    """The features of a customer's silence, one value for each of CHURN_FEATURES, in that order."""
    bought, rhythm = row.purchases, _rhythm(row)
    quiet = _days(bought.last_at, now)
    quiet_log, count_log, cadence_log = _log(quiet), _log(rhythm.purchases), _log(rhythm.cadence)
    ratio = quiet_log - cadence_log if rhythm.cadence else 0.0
    z = (quiet - rhythm.cadence) / (rhythm.spread + 1.0) if rhythm.gaps > 1 else 0.0
    values = (
        count_log,
        float(rhythm.purchases == 1),
        quiet_log,
        _log(_days(bought.first_at, now)),
        cadence_log,
        _log(rhythm.spread),
        float(rhythm.gaps < 2),
        ratio,
        min(max(z, -8.0), 8.0),
        *_recent(row, rhythm, now),
        *_baskets(row.orders, bought.value, rhythm),
        _log(_days(row.last_seen or None, now)),
        _log(count(row, "events", 30 * DAY, now)),
        _log(count(row, "events", 90 * DAY, now)),
        _logit(silence(rhythm.purchases, bought.first_at, bought.last_at, now, CHURN_HORIZON_MS)),
        ratio * ratio,
        quiet_log * quiet_log,
        quiet_log * count_log,
        quiet_log * cadence_log,
    )
    return dict(zip(CHURN_FEATURES, values, strict=True))


class _Rhythm(NamedTuple):
    """Days with purchases: how many, the kept ones, and the gaps between these: number, mean and spread."""

    purchases: int
    days: list[Millis]
    gaps: int
    cadence: float
    spread: float


def _rhythm(row: Customer) -> _Rhythm:
    """Orders of one day are one purchase, as the literature counts; a second says nothing of the rhythm."""
    times = [order.placed_at for order in row.orders if order.event_id and order.follows is None]
    days = sorted({at // DAY for at in times})
    gaps = [float(later - earlier) for earlier, later in pairwise(days)]
    cadence = sum(gaps) / len(gaps) if gaps else 0.0
    variance = sum((gap - cadence) ** 2 for gap in gaps) / (len(gaps) - 1) if len(gaps) > 1 else 0.0
    purchases = max(row.purchases.count - len(times) + len(days), 0)
    return _Rhythm(purchases, days, len(gaps), cadence, math.sqrt(variance))


def _log(x: float) -> float:
    return math.log1p(x) if x > 0 else 0.0


def _logit(p: float) -> float:
    return min(max(math.log(p / (1.0 - p)), -9.0), 9.0) if p < 1.0 else 9.0


def _days(since: Millis | None, now: Millis) -> float:
    return max(now - since, 0) / DAY if since is not None else 0.0


def _sessions(sessions: list[Session]) -> tuple[float, ...]:
    if not sessions:
        return (0.0,) * 6
    newest, earlier = sessions[-1], sessions[:-1]
    return (
        _log((newest.end - newest.start) / 1_000),
        _log(newest.events),
        _log(newest.views),
        _log(newest.adds),
        _log(len(earlier)),
        _log(_days(earlier[-1].end, newest.start) if earlier else 0.0),
    )


def _recent(row: Customer, rhythm: _Rhythm, now: Millis) -> tuple[float, ...]:
    bought = row.purchases
    today = now // DAY
    orders = [_log(sum(today - days < day <= today for day in rhythm.days)) for days in _WINDOWS]
    spends = [_log(_spend(row.orders, now - days * DAY, now)) for days in _WINDOWS]
    quarters = max(_days(bought.first_at, now) / 90.0, 1.0)
    return (
        *orders,
        *spends,
        orders[-1] - _log(rhythm.purchases / quarters),
        spends[-1] - _log(bought.value / quarters),
    )


def _spend(orders: list[Order], since: Millis, now: Millis) -> float:
    return sum(order.total for order in orders if since < order.placed_at <= now)


def _baskets(orders: list[Order], spent: float, rhythm: _Rhythm) -> tuple[float, ...]:
    lines = sum(len(order.items) for order in orders)
    troubled = sum(
        item.state in ("backordered", "cancelled", "returned") for order in orders for item in order.items
    )
    return (
        _log(spent),
        _log(spent / rhythm.purchases if rhythm.purchases else 0.0),
        _log(max((order.total for order in orders), default=0.0)),
        _log(lines / len(rhythm.days) if rhythm.days else 0.0),
        _log(troubled),
    )
