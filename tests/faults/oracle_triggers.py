"""The oracle's triggers: what has to be said to one customer, by the rules that the triggers' docstrings state."""

from collections.abc import Mapping

from tests.faults.oracle_churn import Silence
from tests.faults.oracle_customer import Cart, Person
from tests.faults.oracle_features import cart_features
from tests.faults.oracle_labels import Labels
from tests.faults.oracle_ledger import Contact, Ledger, Name
from tests.faults.oracle_news import (
    ABANDONED_CHANNELS,
    BROWSE_AFTER,
    BROWSE_PRODUCTS,
    CROSS_SELL_AFTER,
    GATHER,
    GIVE_UP,
    HOW_WAS_IT_AFTER,
    LATE_ITEM_RETRY,
    MISMATCH_AFTER,
    ORDER_CHANNELS,
    RANK,
    TOGETHER,
    VALID_FOR,
    Held,
    Judge,
    Proposal,
    Said,
    Scored,
    asked_at,
    cart_left,
    is_about,
    is_marketing,
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

    def __init__(self, person: Person, judge: Judge, names: Mapping[str, Name]) -> None:
        self.person = person
        self.timers: dict[str, int] = {}
        self.said: list[Said] = []
        self.scores: dict[Said, Scored] = {}
        self.cancelled: list[tuple[str, str, int, str]] = []  # (key, trigger, at, reason)
        self.ledger = Ledger(names)
        self.labels = Labels(person, self.timers)
        self.silence = Silence(person, self.timers, judge)
        self._judge = judge
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
            assert len(self.timers) <= 64, "the row's bound on timers would begin to matter"

    def observe(self, touchpoint: str, event: Json, at: int, stream_time: int, *, is_purchase: bool) -> None:
        """What an applied event makes true."""
        if touchpoint == "messages":
            self.ledger.told(event, at)
        if _touches_consent(touchpoint, event) and not self.person.allows("profiling"):
            self.labels.forget()
        elif is_purchase:
            self.labels.bought(at, max(at, stream_time))
        self._cancel_wrong(touchpoint, event, at, is_purchase=is_purchase)
        if touchpoint == "web":
            self._on_site(event, at)
        elif touchpoint == "orders":
            self._on_order(event, at, is_purchase=is_purchase)

    # --- what was left behind

    def _on_site(self, event: Json, at: int) -> None:
        person, kind = self.person, event["type"]
        if kind == "product_viewed":
            is_enough = sum(seen > at - GIVE_UP for seen, _ in self.person.viewed) >= BROWSE_PRODUCTS
            if is_enough and not self.browse_fired and "abandonment:browse" not in self.timers:
                self.timers["abandonment:browse"] = self.person.last_seen + BROWSE_AFTER
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
        elif family == "label":
            self.labels.ring(timer, due)
        elif family == "churn_risk":
            look = self.silence.ring(due)
            if look is not None:
                self._propose(look, due)
        elif family == "abandonment":
            self._ring_left(rest, due)
        elif rest == "replenishment":
            self._ring_replenishment(due)
        else:
            what, _, order_id = rest.partition(":")
            self._ring_order(what, order_id, due)

    def _ring_left(self, what: str, due: int) -> None:
        if what == "browse":
            views = self._left_browsing(due)
            if views and not self.browse_fired:
                self.browse_fired = True
                self.timers["abandonment:closed_browse"] = due + GIVE_UP
                self._propose(self._browse(views), due)
        elif what == "closed_browse":
            self.browse_fired = False
        elif what.startswith("cart:"):
            self._ring_cart(what.removeprefix("cart:"), due)
        else:
            self._close_case(what.removeprefix("closed_cart:"), due)

    def _ring_cart(self, cart_id: str, due: int) -> None:
        cart = self._left_cart(cart_id, due)
        if cart is not None and RANK[cart.announced] < RANK[cart.stage]:
            cart.announced = cart.stage
            self.timers[f"abandonment:closed_cart:{cart_id}"] = cart.last_at + GIVE_UP
            self._propose(cart_left(cart, self._scored(cart, due)), due)

    def _scored(self, cart: Cart, now: int) -> Scored | None:
        if not self.person.allows("profiling"):
            return None
        return self._judge("cart", cart_features(self.person, cart, now), now)

    def _close_case(self, cart_id: str, due: int) -> None:
        cart = self.person.cart(cart_id)
        if cart is None:
            return
        if cart.last_at + GIVE_UP <= due:
            cart.announced = ""
        else:
            self.timers[f"abandonment:closed_cart:{cart_id}"] = cart.last_at + GIVE_UP

    def _browse(self, views: list[int]) -> Proposal:
        about = f"customer:{self.person.key}"
        return Proposal("abandonment.browse", about, views[-1] + GIVE_UP, str(views[-1]))

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
                self.silence.bought(at)
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
        proposal = self._news(order, what, due, due)
        if what == "delivered_check":
            self._ask_later(order, due)
        if proposal is not None:
            self._propose(proposal, due)

    def _news(
        self, order: Bought, what: str, now: int, since: int, *, again: bool = False
    ) -> Proposal | None:
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
        occurrence = f"{since}:{','.join(f'{line.item_id}/{mark(what, line)}' for line in lines)}"
        return Proposal(f"post_purchase.{what}", about, now + VALID_FOR, occurrence)

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
        earlier = None if proposal.unmet else self.held.pop(proposal[:2], None)
        if earlier is not None:
            self.timers.pop(f"held:{proposal.trigger}:{proposal.about}", None)
            self._say(proposal._replace(scored=None), now, "suppressed", "superseded")
        said = self._decide(proposal, now, None)
        if proposal.scored is not None:
            self.labels.expect(said, proposal.scored)

    def _decide(self, proposal: Proposal, now: int, held: Held | None) -> Said:
        reason, channel = self._stopped_by(proposal, now)
        if reason == "late_item":
            if held is None:
                held = Held(proposal, now, self._say(proposal, now, "deferred", reason))
            self._hold(held, now)
            return held.said
        if reason:
            return self._say(proposal, now, "suppressed", reason)
        said = self._say(proposal, now, "fired", "")
        self.ledger.enter(said, proposal, channel)
        return said

    def _stopped_by(self, proposal: Proposal, now: int) -> tuple[str, str]:
        """The first of the gates that does not let it pass, and else the channel."""
        channel = self._channel(proposal.trigger)
        courts = is_marketing(proposal.trigger)
        gates = (
            (proposal.unmet, bool(proposal.unmet)),
            ("no_marketing_consent", channel is None),
            ("expired", now >= proposal.expires_at),
            ("already_said", self.ledger.knows(proposal)),
            ("late_item", courts and self.person.book.has_late(now)),
            ("cap_reached", courts and self.ledger.is_full(now)),
        )
        return next((reason for reason, stops in gates if stops), ""), channel or ""

    def _hold(self, held: Held, now: int) -> None:
        self.held[held.proposal[:2]] = held
        assert len(self.held) <= 12, "the row's bound on held proposals would begin to matter"
        until = max(now + LATE_ITEM_RETRY, now + (now - held.since) // 8)
        timer = f"held:{held.proposal.trigger}:{held.proposal.about}"
        self.timers[timer] = min(until, held.proposal.expires_at)

    def _look_again(self, held: Held, now: int) -> None:
        proposal = held.proposal._replace(scored=None)
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
        about = held.proposal.about
        kind, _, name = about.partition(":")
        what = held.proposal.trigger.partition(".")[2]
        if held.proposal.trigger == "churn_risk":
            return self.silence.again(now)
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
                return self._news(order, what, now, held.since, again=True)
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
        return cart_left(cart, self._scored(cart, now))

    def _channel(self, trigger: str) -> str | None:
        channels = ABANDONED_CHANNELS if trigger.startswith("abandonment") else ORDER_CHANNELS
        if trigger == "post_purchase.delivery_mismatch":
            return "call"
        if not is_marketing(trigger):
            return channels[0]
        return next((each for each in channels if self.person.allows("marketing", each)), None)

    def _say(self, proposal: Proposal, now: int, outcome: str, reason: str) -> Said:
        said = Said(self.person.key, proposal.trigger, proposal.about, now, outcome, reason)
        self.said.append(said)
        if proposal.scored is not None:
            self.scores[said] = proposal.scored
        return said

    # --- what becomes wrong before it is sent

    def _cancel_wrong(self, touchpoint: str, event: Json, at: int, *, is_purchase: bool) -> None:
        sent = [each for each in self.ledger.contacts if each.is_open(at)]
        if is_purchase:
            self._call_back(at, "purchased", [each for each in sent if self._is_answered(each, event)])
        elif event["type"] == "order_cancelled":
            wrong = [each for each in sent if is_about(each.proposal.about, event)]
            self._call_back(at, "order_cancelled", wrong)
        if _touches_consent(touchpoint, event):
            forbidden = [
                each
                for each in sent
                if is_marketing(each.proposal.trigger) and not self.person.allows("marketing", each.channel)
            ]
            self._call_back(at, "consent_withdrawn", forbidden)

    def _call_back(self, at: int, reason: str, wrong: list[Contact]) -> None:
        for each in wrong:
            each.status, each.status_at = "cancelled", at
            self.cancelled.append((self.person.key, each.proposal.trigger, at, reason))

    def _is_answered(self, sent: Contact, event: Json) -> bool:
        trigger, about = sent.proposal.trigger, sent.proposal.about
        if trigger in ("abandonment.browse", "churn_risk"):
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


def _touches_consent(touchpoint: str, event: Json) -> bool:
    return touchpoint in ("consent", "messages") or bool((event.get("context") or {}).get("consent"))
