"""The oracle's triggers: what has to be said to one customer, by the rules that the triggers' docstrings state.

Abandonment and everything after a purchase are worked out here; what rests on a model's score is not.
"""

from tests.faults.oracle_customer import Cart, Person
from tests.faults.oracle_news import (
    ABANDONED_CHANNELS,
    BROWSE_AFTER,
    BROWSE_PRODUCTS,
    CROSS_SELL_AFTER,
    GATHER,
    GIVE_UP,
    HOW_WAS_IT_AFTER,
    LATE_ITEM_RETRY,
    MARKETING,
    MISMATCH_AFTER,
    ORDER_CHANNELS,
    RANK,
    TOGETHER,
    VALID_FOR,
    Held,
    Proposal,
    Said,
    Sent,
    asked_at,
    cart_left,
    is_about,
    is_true,
    mark,
    next_used_up,
    running_out,
    runs_out,
    silence,
    thanks,
)
from tests.faults.oracle_orders import Bought, Json


class Watch:
    """One customer's timers, and what was decided. `person` is folded first, then `observe` is told."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.timers: dict[str, int] = {}
        self.said: list[Said] = []
        self.cancelled: list[tuple[str, str, int, str]] = []  # (key, trigger, at, reason)
        self.open: list[Sent] = []
        self.held: dict[tuple[str, str], Held] = {}
        self.browse_fired = False

    def ring_until(self, clock: int) -> None:
        """Fire the timers that are due at the clock, in order."""
        while self.timers:
            due, timer = min((due, timer) for timer, due in self.timers.items())
            if due > clock:
                break
            del self.timers[timer]
            self._ring(timer, due)
            assert len(self.timers) <= 48, "the row's bound on timers would begin to matter"

    def observe(self, touchpoint: str, event: Json, at: int, *, is_purchase: bool) -> None:
        """What an applied event makes true."""
        self._cancel_wrong(touchpoint, event, at, is_purchase=is_purchase)
        if touchpoint == "web":
            self._on_site(event, at)
        elif touchpoint == "orders":
            self._on_order(event, at, is_purchase=is_purchase)

    # --- what was left behind

    def _on_site(self, event: Json, at: int) -> None:
        person, kind = self.person, event["type"]
        if kind == "product_viewed":
            if not self.browse_fired and "abandonment:browse" not in self.timers:
                self.timers["abandonment:browse"] = at + BROWSE_AFTER
        elif "cart_id" in event and kind != "custom":
            cart = person.cart(event["cart_id"])
            if cart is not None and cart.newest_event == event["event_id"] and not self._bought_since(cart):
                timer = f"abandonment:cart:{cart.cart_id}"
                if timer not in self.timers and RANK[cart.announced] < RANK[cart.stage]:
                    self.timers[timer] = at + silence(cart)
        if "abandonment:browse" in self.timers:
            self._no_sooner("abandonment:browse", at + BROWSE_AFTER)
        for cart in person.carts:
            if f"abandonment:cart:{cart.cart_id}" in self.timers:
                self._no_sooner(f"abandonment:cart:{cart.cart_id}", at + silence(cart))

    def _no_sooner(self, timer: str, due: int) -> None:
        self.timers[timer] = max(self.timers[timer], due)

    def _ordered(self, at: int) -> None:
        if self.timers.get("abandonment:browse", 0) <= at + BROWSE_AFTER:
            self.timers.pop("abandonment:browse", None)
            self.timers.pop("abandonment:closed_browse", None)
            self.browse_fired = False
        waiting = {
            f"abandonment:cart:{cart.cart_id}" for cart in self.person.carts if not self._bought_since(cart)
        }
        for timer in [each for each in self.timers if each.startswith("abandonment:cart:")]:
            if timer not in waiting:
                del self.timers[timer]

    def _bought_since(self, cart: Cart) -> bool:
        last = self.person.book.last_purchase
        return last is not None and last >= cart.last_at

    def _left_browsing(self, now: int) -> list[int]:
        since = max(now - GIVE_UP, self.person.book.last_purchase or 0)
        views = [at for at, _ in self.person.viewed if at > since]
        is_outranked = any(cart.last_at > since for cart in self.person.carts)
        return [] if is_outranked or len(views) < BROWSE_PRODUCTS else views

    def _left_cart(self, cart_id: str, now: int) -> Cart | None:
        cart = self.person.cart(cart_id)
        if cart is None or not cart.items or self._bought_since(cart) or now >= cart.last_at + GIVE_UP:
            return None
        for other in self.person.carts:
            if other is cart or not other.items or now >= other.last_at + GIVE_UP:
                continue
            is_earlier_case = (
                other.announced == other.stage and other.last_at + silence(other) <= cart.last_at
            )
            outranks = (RANK[other.stage], other.last_at) > (RANK[cart.stage], cart.last_at)
            if outranks and not is_earlier_case:
                return None
        return cart

    def _ring(self, timer: str, due: int) -> None:
        family, _, rest = timer.partition(":")
        if family == "held":
            trigger, _, about = rest.partition(":")
            self._look_again(self.held.pop((trigger, about)), due)
        elif timer == "abandonment:browse":
            views = self._left_browsing(due)
            if views and not self.browse_fired:
                self.browse_fired = True
                self.timers["abandonment:closed_browse"] = due + GIVE_UP
                self._propose(self._browse(views), due)
        elif timer == "abandonment:closed_browse":
            self.browse_fired = False
        elif timer.startswith("abandonment:cart:"):
            self._ring_cart(rest.removeprefix("cart:"), due)
        elif timer.startswith("abandonment:closed_cart:"):
            self._close_case(timer, rest.removeprefix("closed_cart:"), due)
        elif timer == "post_purchase:replenishment":
            self._ring_replenishment(due)
        else:
            what, _, order_id = rest.partition(":")
            self._ring_order(what, order_id, due)

    def _ring_cart(self, cart_id: str, due: int) -> None:
        cart = self._left_cart(cart_id, due)
        if cart is not None and RANK[cart.announced] < RANK[cart.stage]:
            cart.announced = cart.stage
            self.timers[f"abandonment:closed_cart:{cart_id}"] = cart.last_at + GIVE_UP
            self._propose(cart_left(cart), due)

    def _close_case(self, timer: str, cart_id: str, due: int) -> None:
        cart = self.person.cart(cart_id)
        if cart is None:
            return
        if cart.last_at + GIVE_UP <= due:
            cart.announced = ""
        else:
            self.timers[timer] = cart.last_at + GIVE_UP

    def _browse(self, views: list[int]) -> Proposal:
        return Proposal("abandonment.browse", f"customer:{self.person.key}", views[-1] + GIVE_UP)

    # --- after a purchase

    def _on_order(self, event: Json, at: int, *, is_purchase: bool) -> None:
        kind, book = event["type"], self.person.book
        if is_purchase:
            self._ordered(at)
        order = book.find(event["order_id"])
        assert order is not None, "an order that was just told of"
        if kind == "order_placed":
            self._ask_later(order, at)
            if is_purchase:
                self._replenish_later({line.product_id for line in order.lines}, at)
                if order.cancelled_at is None:
                    self._propose(thanks(order), at)
        elif kind in ("order_updated", "item_shipped", "item_backordered"):
            self._ask_later(order, at)
            if kind != "order_updated":
                what = "shipped" if kind == "item_shipped" else "backorder"
                self._gather(what, order, at)
        elif kind == "item_delivered":
            first = book.root(order)
            if first is not order:
                self._gather("follow_up_delivered", order, at)
            self._restart("delivery_mismatch", order, at + MISMATCH_AFTER)
            self._restart("how_was_it", first, at + HOW_WAS_IT_AFTER)
            self._restart("cross_sell", first, at + CROSS_SELL_AFTER)
            self._ask_later(order, at)

    def _gather(self, what: str, order: Bought, at: int) -> None:
        self.timers.setdefault(f"post_purchase:{what}:{order.order_id}", at + GATHER)

    def _restart(self, what: str, order: Bought, due: int) -> None:
        timer = f"post_purchase:{what}:{order.order_id}"
        self.timers[timer] = max(self.timers.get(timer, 0), due)

    def _ask_later(self, order: Bought, now: int) -> None:
        timer = f"post_purchase:delivered_check:{order.order_id}"
        due = min(
            (at for line in order.lines if "delivered_check" not in line.told and (at := asked_at(line))),
            default=None,
        )
        if due is None:
            self.timers.pop(timer, None)
        else:
            self.timers[timer] = max(due, now + 1)

    def _ring_order(self, what: str, order_id: str, due: int) -> None:
        order = self.person.book.find(order_id)
        if order is None:
            return
        proposal = self._news(order, what, due, again=False)
        if what == "delivered_check":
            self._ask_later(order, due)
        if proposal is not None:
            self._propose(proposal, due)

    def _news(self, order: Bought, what: str, now: int, *, again: bool) -> Proposal | None:
        book = self.person.book
        if order.cancelled_at is not None:
            return None
        if what in ("how_was_it", "cross_sell") and any(
            each.is_open for each in (order, *book.follow_ups(order))
        ):
            return None
        if what == "cross_sell" and (book.last_purchase or 0) > order.placed_at:
            return None
        lines = [line for line in order.lines if is_true(what, line, now)]
        lines = [line for line in lines if (mark(what, line) in line.told) is again]
        if not lines:
            return None
        for line in lines:
            line.told = {each for each in line.told if each.partition("@")[0] != what} | {mark(what, line)}
        about = f"order:{order.order_id}"
        if what == "cross_sell":
            dearest = max(lines, key=lambda line: (line.price or 0.0) * line.ordered)
            about = f"item:{order.order_id}:{dearest.item_id}"
        return Proposal(f"post_purchase.{what}", about, now + VALID_FOR)

    # --- what runs out

    def _replenish_later(self, products: set[str], now: int) -> None:
        """After a purchase: when the first of its products is used up, or when it was time anyway."""
        due = next_used_up([each for each in running_out(self.person.book) if each[1] in products], now)
        if due is not None:
            self.timers["post_purchase:replenishment"] = min(
                due, self.timers.get("post_purchase:replenishment", due)
            )

    def _ring_replenishment(self, due: int) -> None:
        known = running_out(self.person.book)
        found = [
            each for each in known if abs(each[0] - due) < TOGETHER and "replenishment" not in each[3].told
        ]
        for _, _, _, line in found:
            line.told.add("replenishment")
        following = next_used_up(known, due)
        if following is not None:
            self.timers["post_purchase:replenishment"] = following
        if found:
            self._propose(runs_out(found[0], due), due)

    # --- what becomes of a proposal

    def _propose(self, proposal: Proposal, now: int) -> None:
        earlier = self.held.pop(proposal[:2], None)
        if earlier is not None:
            self.timers.pop(f"held:{proposal.trigger}:{proposal.about}", None)
            self._say(proposal, now, "suppressed", "superseded")
        self._decide(proposal, now, None)

    def _decide(self, proposal: Proposal, now: int, held: Held | None) -> None:
        channel = self._channel(proposal.trigger)
        if channel is None:
            self._say(proposal, now, "suppressed", "no_marketing_consent")
        elif now >= proposal.expires_at:
            self._say(proposal, now, "suppressed", "expired")
        elif proposal.trigger.startswith(MARKETING) and self.person.book.has_late(now):
            if held is None:
                self._say(proposal, now, "deferred", "late_item")
                held = Held(proposal, now)
            self._hold(held, now)
        else:
            self._say(proposal, now, "fired", "")
            self.open.append(Sent(proposal, channel))

    def _hold(self, held: Held, now: int) -> None:
        self.held[held.proposal[:2]] = held
        assert len(self.held) <= 12, "the row's bound on held proposals would begin to matter"
        until = max(now + LATE_ITEM_RETRY, now + (now - held.since) // 8)
        timer = f"held:{held.proposal.trigger}:{held.proposal.about}"
        self.timers[timer] = min(until, held.proposal.expires_at)

    def _look_again(self, held: Held, now: int) -> None:
        proposal = held.proposal
        if now >= proposal.expires_at:
            self._say(proposal, now, "suppressed", "expired")
            return
        again = self._again(held, now)
        if again is None:
            self._say(proposal, now, "suppressed", "no_longer_true")
            return
        again = again._replace(expires_at=min(again.expires_at, proposal.expires_at))
        self._decide(again, now, held)

    def _again(self, held: Held, now: int) -> Proposal | None:
        _, about, _ = held.proposal
        kind, _, name = about.partition(":")
        what = held.proposal.trigger.partition(".")[2]
        if what == "browse":
            return self._browse_again(now)
        if what in ("cart", "checkout"):
            return self._cart_again(what, name, now)
        if what == "replenishment":
            found = [each for each in running_out(self.person.book) if abs(each[0] - held.since) < TOGETHER]
            found = [each for each in found if "replenishment" in each[3].told]
            again = runs_out(found[0], now) if found else None
            return again if again is not None and again.about == about else None
        assert kind == "item"
        for order in self.person.book.orders:
            if any(name == f"{order.order_id}:{line.item_id}" for line in order.lines):
                return self._news(order, what, now, again=True)
        return None

    def _browse_again(self, now: int) -> Proposal | None:
        views = self._left_browsing(now)
        if not views:
            return None
        if now < max(views[-1], self.person.last_seen) + BROWSE_AFTER:
            self.browse_fired = False
            self.timers["abandonment:browse"] = max(views[-1], self.person.last_seen) + BROWSE_AFTER
            return None
        return self._browse(views)

    def _cart_again(self, stage: str, cart_id: str, now: int) -> Proposal | None:
        cart = self._left_cart(cart_id, now)
        if cart is None or cart.stage != stage:
            return None
        silent_from = max(cart.last_at, self.person.last_seen)
        if now < silent_from + silence(cart):
            cart.announced = ""
            self.timers[f"abandonment:cart:{cart_id}"] = silent_from + silence(cart)
            return None
        return cart_left(cart)

    def _channel(self, trigger: str) -> str | None:
        channels = ABANDONED_CHANNELS if trigger.startswith("abandonment") else ORDER_CHANNELS
        if trigger == "post_purchase.delivery_mismatch":
            return "call"
        if not trigger.startswith(MARKETING):
            return channels[0]
        return next((each for each in channels if self.person.allows("marketing", each)), None)

    def _say(self, proposal: Proposal, now: int, outcome: str, reason: str) -> None:
        self.said.append(Said(self.person.key, proposal.trigger, proposal.about, now, outcome, reason))

    # --- what becomes wrong before it is sent

    def _cancel_wrong(self, touchpoint: str, event: Json, at: int, *, is_purchase: bool) -> None:
        if is_purchase:
            self._call_back(at, "purchased", {s for s in self.open if self._is_answered(s, event)})
        elif event["type"] == "order_cancelled":
            self._call_back(at, "order_cancelled", {s for s in self.open if is_about(s, event)})
        if touchpoint in ("consent", "messages"):
            forbidden = {
                sent
                for sent in self.open
                if sent.proposal.trigger.startswith(MARKETING)
                and not self.person.allows("marketing", sent.channel)
            }
            self._call_back(at, "consent_withdrawn", forbidden)

    def _call_back(self, at: int, reason: str, wrong: set[Sent]) -> None:
        for sent in wrong:
            if at < sent.proposal.expires_at:
                self.open.remove(sent)
                self.cancelled.append((self.person.key, sent.proposal.trigger, at, reason))

    def _is_answered(self, sent: Sent, event: Json) -> bool:
        trigger, about, _ = sent.proposal
        if trigger == "abandonment.browse":
            return True
        if trigger.startswith("abandonment."):
            return all(about != f"cart:{cart.cart_id}" for cart in self.person.carts)
        if trigger not in ("post_purchase.replenishment", "post_purchase.cross_sell"):
            return False
        ordered = {item["product_id"] for item in event["items"]}
        return any(
            line.product_id in ordered and about == f"item:{order.order_id}:{line.item_id}"
            for order in self.person.book.orders
            for line in order.lines
        )
