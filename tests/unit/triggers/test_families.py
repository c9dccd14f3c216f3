"""Who is asked, and that asking costs next to nothing."""

from schemas.action import moment
from schemas.customer import Held
from schemas.event import Event
from streams.triggers import families
from tests.unit.triggers.shop import MINUTE, START, Shop, product


class LoyaltyScanned(Event):
    """An event of a shop's own touchpoint."""


def test_every_family_is_named_as_its_timers_and_triggers_begin() -> None:
    shop = Shop()
    shop.happens(0, "web", "product_viewed", product=product())
    shop.happens(0, "web", "product_added", product=product())
    shop.happens(MINUTE, "orders", "order_placed", order_id="o", items=[product()], total=1.0)
    shop.happens(MINUTE, "orders", "item_shipped", order_id="o", item_id="p1")
    names = {family.NAME for family in families.FAMILIES}
    assert names == {"abandonment", "churn_risk", "post_purchase"}
    assert {timer.partition(":")[0] for timer in shop.row.timers} <= names
    assert {trigger.partition(".")[0] for trigger in shop.triggers} <= names


def test_a_shop_s_own_event_a_timer_and_a_held_trigger_of_no_family_say_nothing() -> None:
    shop = Shop()
    own = LoyaltyScanned(event_id="x", event_time=moment(START), source="till")
    assert shop.takes(own, 0, "web") == []
    assert list(families.ring(shop.row, "removed:rest", START, shop.circumstances)) == []
    held = Held("removed.trigger", "cart:k", "paused", START, START + MINUTE, "d")
    assert families.recheck(shop.row, held, START, shop.circumstances) is None


def test_an_order_is_told_to_every_family_that_it_concerns() -> None:
    shop = Shop()
    shop.happens(0, "web", "product_added", cart_id="k", product=product())
    shop.happens(MINUTE, "orders", "order_placed", order_id="o", cart_id="k", items=[product()], total=1.0)
    assert shop.triggers == ["post_purchase.thanks"]
    assert list(shop.row.timers) == ["churn_risk:silence"]


def test_custom_events_of_the_site_are_activity() -> None:
    shop = Shop()
    shop.happens(0, "web", "product_added", cart_id="k", product=product())
    shop.happens(30 * MINUTE, "web", "custom", name="zoomed")
    assert not shop.until(90 * MINUTE - 1)
    assert shop.until(90 * MINUTE)
