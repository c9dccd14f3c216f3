"""One visit to the simulated site: it ends in nothing, in an order, or in a cart left for a latent cause.

Causes show themselves as they do in a real shop: mostly by an obstacle right before the end, sometimes by
nothing, and sometimes an obstacle shows that was overcome and is not the cause.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from schemas.event import Millis
from streams.local.replayed import Replayed
from streams.local.simulator.catalogue import Good
from streams.local.simulator.shopper import HOUR, MINUTE, SECOND, Shopper
from streams.local.simulator.truth import Cause

_CAUSES: tuple[tuple[Cause, int], ...] = (
    ("just_browsing", 30),
    ("shipping_cost", 22),
    ("payment_failed", 16),
    ("out_of_stock", 12),
    ("coupon_refused", 10),
    ("form_error", 10),
)
_SILENT = 0.06
_DECOY = 0.06
_PAUSE = 0.12
_RECOVERED = 0.12


class Basket(NamedTuple):
    """What became an order: the cart, its goods with pieces, and when it was sent off."""

    cart_id: str
    lines: tuple[tuple[Good, int], ...]
    at: Millis


@dataclass(slots=True)
class Visit:
    """A visit that begins at `at`; `at` moves on with each event. `basket` is what it bought."""

    shopper: Shopper
    visit_id: str
    at: Millis
    basket: Basket | None = None

    def events(self) -> Iterator[Replayed]:
        """All that the visit shows, in time order."""
        rng = self.shopper.rng
        yield self._web("page_viewed", path="/")
        yield from self._look_around()
        drawn = rng.random()
        if drawn < self.shopper.buys:
            yield from self._buy()
        elif drawn < self.shopper.buys + (1 - self.shopper.buys) * 0.6:
            yield from self._leave_cart(rng.choices(*zip(*_CAUSES, strict=True))[0])

    def _look_around(self) -> Iterator[Replayed]:
        rng = self.shopper.rng
        if rng.random() < 0.4:
            good = rng.choice(self.shopper.goods)
            yield self._web("searched", query=good.name.split()[-1].lower(), results=rng.randint(1, 12))
        for good in rng.sample(self.shopper.goods, rng.randint(1, 5)):
            yield self._web("product_viewed", product=good.named())

    def _fill_cart(self) -> Iterator[Replayed]:
        rng = self.shopper.rng
        lines = tuple((good, rng.randint(1, 4)) for good in rng.sample(self.shopper.goods, rng.randint(1, 6)))
        self.basket = Basket(f"cart-{self.visit_id}", lines, self.at)
        for good, quantity in lines:
            yield self._cart("product_added", product=good.named(quantity), currency="EUR")
        yield self._cart("cart_viewed")

    def _buy(self) -> Iterator[Replayed]:
        yield from self._fill_cart()
        if self.shopper.rng.random() < _PAUSE:
            self.at += self.shopper.rng.randint(5, 40) * MINUTE
        yield from self._check_out()

    def _check_out(self) -> Iterator[Replayed]:
        yield from self._check_out_until("payment")
        yield self._cart("checkout_step_completed", step="payment")
        assert self.basket is not None
        self.basket = self.basket._replace(at=self.at + SECOND)

    def _check_out_until(self, last_step: str) -> Iterator[Replayed]:
        yield self._cart("checkout_started", currency="EUR")
        for step in ("address", "delivery", "payment"):
            yield self._cart("checkout_step_viewed", step=step)
            if step == last_step:
                return
            yield self._cart("checkout_step_completed", step=step)

    def _leave_cart(self, cause: Cause) -> Iterator[Replayed]:
        rng, truth = self.shopper.rng, self.shopper.truth
        yield from self._fill_cart()
        assert self.basket is not None
        if cause not in ("just_browsing", "coupon_refused") and rng.random() < _DECOY:
            yield self._cart("coupon_refused", coupon="WELCOME5", reason="expired")
        truth.causes[self.basket.cart_id] = cause
        yield from self._obstacle(cause)
        if rng.random() >= _RECOVERED:
            self.basket = None
            return
        truth.recovered.add(self.basket.cart_id)
        self.at += rng.randint(3, 20) * HOUR
        yield self._cart("cart_viewed")
        yield from self._check_out()

    def _obstacle(self, cause: Cause) -> Iterator[Replayed]:
        rng = self.shopper.rng
        reached = {"payment_failed": "payment", "shipping_cost": "delivery", "form_error": "address"}
        if cause in reached:
            yield from self._check_out_until(reached[cause])
        if cause in ("just_browsing", "shipping_cost") or rng.random() < _SILENT:
            return
        if cause == "payment_failed":
            yield self._cart("payment_failed", reason=rng.choice(("card declined", "3-D Secure timed out")))
        elif cause == "out_of_stock":
            assert self.basket is not None
            yield self._cart("out_of_stock_shown", product=rng.choice(self.basket.lines)[0].named())
        elif cause == "coupon_refused":
            yield self._cart("coupon_refused", coupon="SUMMER10", reason="minimum not reached")
        else:
            for _ in range(rng.randint(1, 3)):
                yield self._cart("form_error", field="postcode", message="not a postcode")

    def _cart(self, kind: str, **fields: Any) -> Replayed:
        assert self.basket is not None
        return self._web(kind, cart_id=self.basket.cart_id, **fields)

    def _web(self, kind: str, **fields: Any) -> Replayed:
        event = self.shopper.event("web", self.at, kind, session_id=self.visit_id, **fields)
        self.at += self.shopper.rng.randint(3, 90) * SECOND
        return event
