"""What is proposed for something left behind: the last step, the products, the value, the likely cause.

The category is marketing, help after a failed payment included: as long as there is no order there is no
contract to serve, so the message is to win a sale, and the customer must have allowed that.
"""

from collections.abc import Mapping, Sequence

from models.cart_features import CART_HORIZON_MS, cart_features
from schemas.action import Bilingual, BusinessKey, Category, Content
from schemas.customer import MAX_EVIDENCE, Cart, Customer, Obstacle, Viewed
from schemas.decision import Condition
from schemas.event import Millis, Product
from streams.customers.cart import last_step, likely_cause
from streams.triggers import spoken
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances
from streams.triggers.listing import product_of
from streams.triggers.scoring import scored
from streams.triggers.texts import reasons

_CATEGORY: Category = "marketing"
_CANCELS_ON = ("web", "orders")
_PRIORITY = {"browse": 30, "cart": 50, "checkout": 60}
_HELP = ("payment_failed", "out_of_stock", "form_error")
"""Causes that help answers, and a discount does not."""

_CAUSES: Mapping[str, Bilingual] = {
    "payment_failed": Bilingual(es="falló el pago", en="the payment failed"),
    "out_of_stock": Bilingual(es="faltaba un producto", en="a product was missing"),
    "coupon_refused": Bilingual(es="se rechazó un cupón", en="a coupon was refused"),
    "form_error": Bilingual(es="un formulario dio error", en="a form failed"),
    "no_results": Bilingual(es="una búsqueda sin resultados", en="a search without results"),
}
_NO_CAUSE = Bilingual(es="ninguna conocida", en="none known")
_STEPS: Mapping[str, Bilingual] = {
    "cart": Bilingual(es="la cesta", en="the cart"),
    "checkout": Bilingual(es="el pago", en="the checkout"),
}


def browse_left(
    row: Customer, viewed: Sequence[Viewed], now: Millis, circumstances: Circumstances
) -> Candidate:
    """The customer looked at products, newest last and at least one, and left without a cart."""
    policy = circumstances.policy.abandonment
    newest, cause = viewed[-1], likely_cause(None, row)
    listed = [Product(product_id=each.product_id, name=each.name, price=each.price) for each in viewed[::-1]]
    minutes = (now - newest.at) // 60_000
    internal, customer = reasons(
        "abandonment.browse",
        {"count": str(len(viewed)), "minutes": str(minutes), "products": spoken.products(listed)},
    )
    return Candidate(
        trigger="abandonment.browse",
        category=_CATEGORY,
        business_key=BusinessKey(kind="customer", id=row.key),
        occurrence=str(newest.at),
        at=now,
        expires_at=newest.at + policy.give_up,
        channels=policy.channels,
        template_id="abandonment.browse",
        priority=_PRIORITY["browse"],
        reason_code="browse_abandoned",
        reason_internal=internal,
        reason_customer=customer,
        conditions=(
            Condition(name="silence_min", value=minutes, met=True),
            Condition(name="products_viewed", value=len(viewed), met=True),
            Condition(name="cart_since", value=False, met=True),
            Condition(name="likely_cause", value=cause.kind if cause else None, met=True),
        ),
        evidence=_evidence([each.event_id for each in viewed], cause),
        content=Content(
            products=tuple(listed),
            facts={"last_step": "browse", "likely_cause": cause.kind if cause else "none"},
        ),
        cancels_on=_CANCELS_ON,
    )


def cart_left(row: Customer, cart: Cart, now: Millis, circumstances: Circumstances) -> Candidate:
    """The cart, in the stage it is in, was left; after a cause that help answers, help is what is offered."""
    policy = circumstances.policy.abandonment
    cause = likely_cause(cart, row)
    helps = cause is not None and cause.kind in _HELP
    trigger = f"abandonment.{cart.stage}"
    template_id = f"abandonment.help.{cause.kind}" if cause is not None and helps else trigger
    listed = tuple(map(product_of, cart.items))
    minutes, step = (now - cart.last_at) // 60_000, last_step(cart)
    value = spoken.money(cart.value, cart.currency)
    internal, customer = reasons(
        template_id,
        {
            "value": value,
            "minutes": str(minutes),
            "step": _STEPS.get(step, step),
            "cause": _CAUSES[cause.kind] if cause else _NO_CAUSE,
            "products": spoken.products(listed),
        },
    )
    score = scored(row, "cart", lambda: cart_features(row, cart, now), circumstances)
    return Candidate(
        trigger=trigger,
        category=_CATEGORY,
        business_key=BusinessKey(kind="cart", id=cart.cart_id),
        occurrence=f"{cart.stage}:{cart.last_at}",
        at=now,
        expires_at=cart.last_at + policy.give_up,
        channels=policy.channels,
        template_id=template_id,
        priority=_PRIORITY[cart.stage],
        reason_code="help_needed" if helps else f"{cart.stage}_abandoned",
        reason_internal=internal,
        reason_customer=customer,
        conditions=(
            Condition(name="silence_min", value=minutes, met=True),
            Condition(name="stage", value=cart.stage, met=True),
            Condition(name="last_step", value=step, met=True),
            Condition(name="value", value=cart.value, met=True),
            Condition(name="order_since", value=False, met=True),
            Condition(name="likely_cause", value=cause.kind if cause else None, met=True),
        ),
        evidence=_evidence(cart.evidence, cause),
        content=Content(
            products=listed,
            offer_class="help" if helps else "none",
            facts={"last_step": step, "value": value, "likely_cause": cause.kind if cause else "none"}
            | ({"detail": cause.detail} if cause is not None and cause.detail else {}),
        ),
        cancels_on=_CANCELS_ON,
        **(score.fields(CART_HORIZON_MS) if score else {}),
    )


def _evidence(events: Sequence[str], cause: Obstacle | None) -> tuple[str, ...]:
    """The newest events that show it, the cause's own first; each once."""
    first = [cause.event_id] if cause is not None else []
    return tuple(dict.fromkeys(each for each in (*first, *reversed(events)) if each))[:MAX_EVIDENCE]
