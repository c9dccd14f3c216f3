"""What the models were shown of a customer, worked out in plain Python from the oracle's own customer."""

import math
from collections.abc import Iterable
from itertools import pairwise

from tests.faults.oracle_customer import Cart, Person
from tests.faults.oracle_orders import DAY

HOUR = 3_600_000
WEEK = 7 * DAY
HORIZONS = {"cart": 7 * DAY, "churn": 90 * DAY}
_R, _ALPHA, _A, _B = 0.243, 4.414, 0.793, 2.426  # BG/NBD, customers of CDNOW
_TROUBLE = ("backordered", "cancelled", "returned")
_CART_RATES = {(0, 0): 0.064, (1, 0): 0.082, (0, 1): 0.152, (1, 1): 0.272}

Features = dict[str, float]


def rule(model: str, shown: Features) -> float:
    """What is said before enough is learned."""
    if model == "cart":
        return _CART_RATES[int(shown["reached_checkout"]), int(shown["log_purchases"] > 0)]
    return 1 / (1 + math.exp(-shown["bgnbd_logit"]))


def cart_features(person: Person, cart: Cart, now: int) -> Features:
    """A cart that was left."""
    prices = [price for _, price in cart.items.values() if price is not None]
    met = {kind for _, kind, _ in cart.obstacles}
    purchases, hour = person.book.purchases, 2 * math.pi * (now % DAY) / DAY
    newest = person.sessions[-1] if person.sessions else [0] * 5
    before = person.sessions[-2] if len(person.sessions) > 1 else None
    return {
        "log_items": _log(len(cart.items)),
        "log_pieces": _log(sum(pieces or 0 for pieces, _ in cart.items.values())),
        "log_value": _log(cart.value),
        "log_max_price": _log(max(prices, default=0)),
        "log_categories": _log(len({cart.categories[which] for which in cart.items})),
        "reached_checkout": float(cart.stage == "checkout"),
        "log_steps": _log(len(cart.steps)),
        "log_cart_age_s": _log((cart.last_at - cart.opened_at) / 1000),
        "log_left_s": _log((now - cart.last_at) / 1000),
        **{
            kind: float(kind in met)
            for kind in ("payment_failed", "out_of_stock", "coupon_refused", "form_error")
        },
        "log_session_s": _log((newest[1] - newest[0]) / 1000),
        "log_session_events": _log(newest[2]),
        "log_session_views": _log(newest[3]),
        "log_session_adds": _log(newest[4]),
        "log_earlier_sessions": _log(len(person.sessions) - 1),
        "log_session_gap_days": _log((newest[0] - before[1]) / DAY if before else 0),
        "log_other_carts": _log(len(person.carts) - 1),
        "log_viewed": _log(len(person.viewed)),
        "log_views_7d": _log(_count(person.done["views"], 7 * DAY, HOUR, now)),
        "log_adds_30d": _log(_count(person.done["adds"], 30 * DAY, DAY, now)),
        "log_checkouts_90d": _log(_count(person.done["checkouts"], 90 * DAY, DAY, now)),
        "log_problems_7d": _log(_count(person.done["problems"], 7 * DAY, HOUR, now)),
        "log_purchases": _log(len(purchases)),
        "log_order_value": _log(person.book.value / len(purchases) if purchases else 0),
        "log_silence_days": _log(_days(person.book.last_purchase, now)),
        "log_age_days": _log(_days(person.first_seen, now)),
        "hour_sin": math.sin(hour),
        "hour_cos": math.cos(hour),
        "weekend": float((now // DAY + 3) % 7 in (5, 6)),  # the epoch was a Thursday
    }


def churn_features(person: Person, now: int) -> Features:
    """A silence."""
    book, days = person.book, sorted({at // DAY for at in person.book.purchases})
    gaps = [later - earlier for earlier, later in pairwise(days)]
    mean = sum(gaps) / len(gaps) if gaps else 0.0
    spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / (len(gaps) - 1)) if len(gaps) > 1 else None
    quiet, quarters = _days(book.last_purchase, now), max(_days(min(book.purchases), now) / 90, 1.0)
    ratio = _log(quiet) - _log(mean) if gaps else 0.0
    kept = {order.placed_at // DAY for order in book.orders if order.event_id and order.follows is None}
    orders = {
        window: _log(sum(now // DAY - window < day <= now // DAY for day in kept)) for window in (30, 60, 90)
    }
    spends = {window: _log(_spent(person, now - window * DAY, now)) for window in (30, 60, 90)}
    lines = [line for order in book.orders for line in order.lines]
    events = {window: _count_days(person, window, now) for window in (30, 90)}
    return {
        "log_purchases": _log(len(days)),
        "one_purchase": float(len(days) == 1),
        "log_silence_days": _log(quiet),
        "log_age_days": _log(_days(min(book.purchases), now)),
        "log_cadence_days": _log(mean),
        "log_spread_days": _log(spread or 0),
        "spread_unknown": float(spread is None),
        "silence_to_cadence": ratio,
        "silence_z": min(max((quiet - mean) / (spread + 1), -8.0), 8.0) if spread is not None else 0.0,
        **{f"log_orders_{window}d": orders[window] for window in (30, 60, 90)},
        **{f"log_spend_{window}d": spends[window] for window in (30, 60, 90)},
        "momentum_orders": round(orders[90] - _log(len(days) / quarters), 9),
        "momentum_spend": round(spends[90] - _log(book.value / quarters), 9),
        "log_spend": _log(book.value),
        "log_order_value": _log(book.value / len(days)),
        "log_max_order": _log(max((order.total for order in book.orders), default=0)),
        "log_items_per_purchase": _log(len(lines) / len(kept) if kept else 0),
        "log_troubled_items": _log(sum(line.state in _TROUBLE for line in lines)),
        "log_unseen_days": _log(_days(person.last_seen or None, now)),
        "log_events_30d": _log(events[30]),
        "log_events_90d": _log(events[90]),
        "bgnbd_logit": _bgnbd_logit(len(days), min(book.purchases), max(book.purchases), now),
        "silence_to_cadence_squared": ratio**2,
        "log_silence_squared": _log(quiet) ** 2,
        "silence_by_purchases": _log(quiet) * _log(len(days)),
        "silence_by_cadence": _log(quiet) * _log(mean),
    }


def _bgnbd_logit(bought: int, first: int, last: int, now: int) -> float:
    """Log-odds of no purchase in 90 days, by Fader, Hardie and Lee (2005)."""
    repeats, age = bought - 1, max(now - first, 0) / WEEK
    recency = min((last - first) / WEEK, age)
    odds = (
        _A / (_B + repeats - 1) * ((_ALPHA + age) / (_ALPHA + recency)) ** (_R + repeats) if repeats else 0.0
    )
    alive = 1 / (1 + odds)
    quiet = ((_ALPHA + age) / (_ALPHA + age + HORIZONS["churn"] / WEEK)) ** (_R + repeats)
    p = 1 - alive * (1 - quiet)
    return min(max(math.log(p / (1 - p)), -9.0), 9.0)


def _log(x: float) -> float:
    return math.log(1 + x) if x > 0 else 0.0


def _days(since: int | None, now: int) -> float:
    return max(now - since, 0) / DAY if since is not None else 0.0


def _count(times: Iterable[int], window: int, width: int, now: int) -> int:
    """Those in the whole buckets of the window; the one in which it begins is left out."""
    return sum((now - window) // width < at // width <= now // width for at in times)


def _count_days(person: Person, window: int, now: int) -> int:
    today = now // DAY
    return sum(many for day, many in person.acts_by_day.items() if today - window < day <= today)


def _spent(person: Person, since: int, now: int) -> float:
    return sum(order.total for order in person.book.orders if since < order.placed_at <= now)
