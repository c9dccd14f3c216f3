"""Who this customer is, in plain sentences made of facts. For people: `explain` and the console."""

from typing import Literal, get_args

from schemas.action import moment
from schemas.counts import DAY, HOUR, count
from schemas.customer import Customer, Obstacle
from schemas.event import Millis
from schemas.touchpoints.consent import Channel
from streams.customers import cart, consent, contacts, orders
from streams.customers.phrases import OBSTACLES, PHRASES, STAGES

Language = Literal["es", "en"]


def portrait(row: Customer, now: Millis, language: Language) -> list[str]:
    """The customer at `now`, ms, in sentences; what is not known is not said."""
    return [
        *_acquaintance(row, now, language),
        *_buying(row, now, language),
        *_waiting(row, now, language),
        *_browsing(row, now, language),
        *_carts(row, now, language),
        *_contact(row, now, language),
    ]


def _acquaintance(row: Customer, now: Millis, language: Language) -> list[str]:
    said = [_say(language, "known_since", date=_date(row.first_seen))]
    if row.last_seen:
        said.append(_say(language, "last_act", ago=_ago(now - row.last_seen, language)))
    if row.identity.locale or row.identity.time_zone:
        named = [each for each in (row.identity.locale, row.identity.time_zone) if each]
        said.append(_say(language, "locale", named=", ".join(named)))
    return said


def _buying(row: Customer, now: Millis, language: Language) -> list[str]:
    bought = row.purchases
    if not bought.count or bought.last_at is None:
        return [_say(language, "never_bought")]
    said = [
        _say(
            language,
            "bought_once" if bought.count == 1 else "bought",
            count=bought.count,
            value=f"{bought.value:.2f}",
            ago=_ago(now - bought.last_at, language),
        )
    ]
    if bought.gaps:
        spread = bought.gap_spread
        said.append(
            _say(
                language,
                "rhythm" if spread is None else "rhythm_spread",
                mean=f"{bought.gap_mean:.0f}",
                spread=f"{spread or 0.0:.0f}",
            )
        )
    return said


def _waiting(row: Customer, now: Millis, language: Language) -> list[str]:
    said = []
    for order in orders.open_orders(row):
        late = [item for item in order.items if orders.is_late(item, now)]
        said.append(_say(language, "open_order", order=order.order_id, date=_date(order.placed_at)))
        for item in late:
            name = item.name or item.product_id
            said.append(_say(language, "late_item", item=name, date=_date(item.promised_at or 0)))
    return said


def _browsing(row: Customer, now: Millis, language: Language) -> list[str]:
    said = []
    views = count(row, "views", 7 * DAY, now)
    if views:
        said.append(_say(language, "one_view" if views == 1 else "views", count=views))
    if row.viewed:
        newest = [each.name or each.product_id for each in reversed(row.viewed[-3:])]
        said.append(_say(language, "viewed", products=", ".join(newest)))
    return said


def _carts(row: Customer, now: Millis, language: Language) -> list[str]:
    said = []
    for each in reversed(row.carts):
        pieces = f"{sum(item.quantity for item in each.items):g}"
        stage = STAGES[language].get(each.stage, each.stage)
        step = cart.last_step(each)
        said.append(
            _say(
                language,
                "cart",
                pieces=pieces,
                value=f"{each.value:.2f}",
                stage=stage if step == each.stage else f"{stage} ({step})",
                ago=_ago(now - each.last_at, language),
            )
        )
        cause = cart.likely_cause(each, row)
        if cause is not None:
            said.append(_say(language, "cause", cause=_cause(cause, language)))
    return said


def _contact(row: Customer, now: Millis, language: Language) -> list[str]:
    channels = [each for each in get_args(Channel) if consent.allows(row, "marketing", each)]
    if len(channels) == len(get_args(Channel)):
        said = [_say(language, "marketing")]
    elif channels:
        said = [_say(language, "marketing_on", channels=", ".join(channels))]
    else:
        said = [_say(language, "no_marketing")]
    if not consent.allows(row, "profiling", None):
        said.append(_say(language, "no_profiling"))
    underway = len(contacts.emitted_and_unsent(row, now))
    if underway:
        said.append(_say(language, "one_underway" if underway == 1 else "underway", count=underway))
    return said


def _cause(cause: Obstacle, language: Language) -> str:
    named = OBSTACLES[language][cause.kind]
    return f"{named} ({cause.detail})" if cause.detail else named


def _say(language: Language, phrase: str, **facts: object) -> str:
    return PHRASES[language][phrase].format(**facts)


def _date(at: Millis) -> str:
    return moment(at).date().isoformat()


def _ago(gap: Millis, language: Language) -> str:
    """A span in the largest fitting unit; the future and less than an hour are `just now`."""
    if gap < HOUR:
        return PHRASES[language]["just_now"]
    many, unit = (gap // HOUR, "hour") if gap < 2 * DAY else (gap // DAY, "day")
    return _say(language, f"{unit}_ago" if many == 1 else f"{unit}s_ago", many=many)
