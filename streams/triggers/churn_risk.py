"""Churn risk: a silence that is long for this customer's own rhythm, announced once a lapse.

Law. The first look is taken `first_look_cadence` of the customer's own rhythms after a purchase, further
ones in steps that grow with the silence, until `last_look_cadence`. A lapse begins when the model's
probability is at `threshold` or above, and is announced then; it is over below `release` or with a purchase.
What lies between changes nothing (hysteresis). Every look makes a candidate, whose conditions say whether a
lapse begins with it: so the model learns from all that it was asked, and not only from what it found likely.
Without the purpose `profiling` nothing is scored or proposed; the looks go on, for it may yet be granted.

The own rhythm is the mean gap between purchases, drawn towards the policy's default by the weight of one gap:
(default + gaps * mean) / (1 + gaps). One gap is a weak witness, many are a strong one (an empirical Bayes
estimate of a mean, with a prior worth one observation).
"""

from collections.abc import Iterable, Mapping

from models.churn_features import CHURN_HORIZON_MS, churn_features
from schemas.action import BusinessKey, Category, Content
from schemas.customer import Customer, Held
from schemas.decision import Condition
from schemas.event import Arrival, Event, Millis
from schemas.policy import ChurnRisk
from schemas.touchpoints.orders import OrderPlaced
from streams.customers.orders import is_purchase
from streams.customers.timers import cancel_timer, set_timer
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances
from streams.triggers.family import Observe
from streams.triggers.listing import product_of
from streams.triggers.scoring import Scored, scored
from streams.triggers.texts import reasons

NAME = "churn_risk"
TIMERS = 1
_CATEGORY: Category = "marketing"
_PRIORITY = 40
_SILENCE = "churn_risk:silence"
_DAY: Millis = 86_400_000
_LISTED_PRODUCTS = 10
_SPARSER = 4
"""The next look is at least a quarter of the present silence away: a long one changes slowly."""


def cadence(row: Customer, policy: ChurnRisk) -> Millis:
    """The customer's own rhythm, ms between purchases; the formula stands above."""
    bought = row.purchases
    return round((policy.default_cadence + bought.gaps * bought.gap_mean * _DAY) / (1 + bought.gaps))


def ring(row: Customer, timer_id: str, due: Millis, circumstances: Circumstances) -> Iterable[Candidate]:
    """A look at the silence."""
    last_at, policy = row.purchases.last_at, circumstances.policy.churn_risk
    if last_at is None:
        return ()
    own = cadence(row, policy)
    following = due + max(round(own * policy.step_cadence), policy.min_step, (due - last_at) // _SPARSER)
    if following <= last_at + own * policy.last_look_cadence:
        set_timer(row, _SILENCE, following)
    score = _scored(row, due, circumstances)
    if score is None:
        return ()
    was_lapsed = row.churn.lapsed
    _judge(row, score.p, due, policy)
    return (_look(row, score, due, circumstances, is_announced=was_lapsed and row.churn.lapsed),)


def recheck(row: Customer, held: Held, now: Millis, circumstances: Circumstances) -> Candidate | None:
    """The lapse as it would be announced now; None after a purchase, below `release`, or unallowed."""
    if not row.churn.lapsed:
        return None
    score = _scored(row, now, circumstances)
    if score is None:
        return None
    row.churn.lapsed = score.p >= circumstances.policy.churn_risk.release
    return _look(row, score, now, circumstances, is_announced=False) if row.churn.lapsed else None


def _purchased(row: Customer, arrival: Arrival, circumstances: Circumstances) -> tuple[Candidate, ...]:
    """A purchase ends a lapse and begins the next silence. One that came late changes only the rhythm."""
    last_at, policy = row.purchases.last_at, circumstances.policy.churn_risk
    if last_at is None or not is_purchase(row, arrival.event):
        return ()
    first_look = last_at + round(cadence(row, policy) * policy.first_look_cadence)
    if arrival.at >= last_at:
        row.churn.lapsed = False
        row.churn.since = 0
        cancel_timer(row, _SILENCE)
        set_timer(row, _SILENCE, first_look)
    return ()


def _scored(row: Customer, now: Millis, circumstances: Circumstances) -> Scored | None:
    return scored(row, "churn", lambda: churn_features(row, now), circumstances)


def _judge(row: Customer, p: float, now: Millis, policy: ChurnRisk) -> None:
    """Whether the customer has lapsed, with hysteresis; and since when."""
    if row.churn.lapsed:
        row.churn.lapsed = p >= policy.release
    elif p >= policy.threshold:
        row.churn.lapsed, row.churn.since = True, now


def _look(
    row: Customer, score: Scored, now: Millis, circumstances: Circumstances, *, is_announced: bool
) -> Candidate:
    """The look as a candidate, to be said if there is a lapse that was not announced before."""
    policy, last_at = circumstances.policy.churn_risk, row.purchases.last_at or 0
    lapsed = row.churn.lapsed
    since = row.churn.since if lapsed and not is_announced else now
    own = round(cadence(row, policy) / _DAY, 1)
    silence = round((now - last_at) / _DAY, 1)
    internal, customer = reasons(
        NAME,
        {
            "score": f"{score.p:.2f}",
            "threshold": f"{policy.threshold:.2f}",
            "days": f"{silence:g}",
            "cadence": f"{own:g}",
        },
    )
    last = next((order for order in reversed(row.orders) if order.is_purchase), None)
    return Candidate(
        trigger=NAME,
        category=_CATEGORY,
        business_key=BusinessKey(kind="customer", id=row.key),
        occurrence=f"{last_at}:{since}",
        at=now,
        expires_at=since + policy.valid_for,
        channels=policy.channels,
        template_id=NAME,
        priority=_PRIORITY,
        reason_code=_reason(lapsed, is_announced),
        reason_internal=internal,
        reason_customer=customer,
        conditions=(
            Condition(name="score", value=score.p, met=lapsed),
            Condition(name="threshold", value=policy.threshold, met=True),
            Condition(name="already_announced", value=is_announced, met=not is_announced),
            Condition(name="silence_days", value=silence, met=True),
            Condition(name="cadence_days", value=own, met=True),
            Condition(name="purchases", value=row.purchases.count, met=True),
        ),
        evidence=(last.event_id,) if last else (),
        content=Content(
            products=tuple(product_of(item) for item in (last.items[:_LISTED_PRODUCTS] if last else ())),
        ),
        cancels_on=("orders",),
        **score.fields(CHURN_HORIZON_MS),
    )


def _reason(lapsed: bool, is_announced: bool) -> str:
    if not lapsed:
        return "score_below_threshold"
    return "already_announced" if is_announced else "silence_long_for_own_rhythm"


REACTIONS: Mapping[type[Event], Observe] = {OrderPlaced: _purchased}
