"""What the cart model sees of a customer who left a cart.

Names are fixed, values always finite and read from the row as it stands when predicted. Nothing of the outcome is
in it then: a purchase or the horizon's end comes later, and makes the label. Conventions: `log_x` is log(1 + x)
with x not below 0; days, seconds and money as the name says (money in the shop's currency); a flag is 0 or 1; an
unknown value is 0 beside a flag that says so. Time of day is UTC. History reaches as far as
the row's bounds (schemas/customer.py): 8 sessions, 4 carts.
"""

import math

from models.transforms import days, log
from schemas.counts import DAY, count
from schemas.customer import Cart, Customer, Session
from schemas.event import Millis

CART_HORIZON_MS: Millis = 7 * DAY

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


def cart_features(row: Customer, cart: Cart, now: Millis) -> dict[str, float]:
    """The features of a left cart, one value for each of CART_FEATURES, in that order."""
    prices = [item.price for item in cart.items if item.price is not None]
    met = {obstacle.kind for obstacle in cart.obstacles}
    bought = row.purchases
    hour = 2 * math.pi * (now % DAY) / DAY
    values = (
        log(len(cart.items)),
        log(sum(item.quantity for item in cart.items)),
        log(cart.value),
        log(max(prices, default=0.0)),
        log(len({item.category for item in cart.items})),
        float(cart.stage == "checkout"),
        log(len(cart.steps)),
        log((cart.last_at - cart.opened_at) / 1_000),
        log((now - cart.last_at) / 1_000),
        float("payment_failed" in met),
        float("out_of_stock" in met),
        float("coupon_refused" in met),
        float("form_error" in met),
        *_sessions(row.sessions),
        log(len(row.carts) - 1),
        log(len(row.viewed)),
        log(count(row, "views", 7 * DAY, now)),
        log(count(row, "adds", 30 * DAY, now)),
        log(count(row, "checkouts", 90 * DAY, now)),
        log(count(row, "problems", 7 * DAY, now)),
        log(bought.count),
        log(bought.value / bought.count if bought.count else 0.0),
        log(days(bought.last_at, now)),
        log(days(row.first_seen, now)),
        math.sin(hour),
        math.cos(hour),
        float((now // DAY + 3) % 7 >= 5),
    )
    return dict(zip(CART_FEATURES, values, strict=True))


def _sessions(sessions: list[Session]) -> tuple[float, ...]:
    if not sessions:
        return (0.0,) * 6
    newest, earlier = sessions[-1], sessions[:-1]
    return (
        log((newest.end - newest.start) / 1_000),
        log(newest.events),
        log(newest.views),
        log(newest.adds),
        log(len(earlier)),
        log(days(earlier[-1].end, newest.start) if earlier else 0.0),
    )
