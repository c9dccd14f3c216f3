"""Churn risk: the own rhythm, one lapse one announcement, hysteresis, and no score without leave."""

import pytest

from schemas.customer import Permission
from streams.triggers.candidate import Candidate
from tests.unit.triggers.shop import DAY, MINUTE, START, Shop, product

CHURN = "churn_risk"


def bought(shop: Shop, *days: int) -> Shop:
    for day in days:
        shop.happens(day * DAY, "orders", "order_placed", order_id=f"o{day}", items=[product()], total=10.0)
    shop.proposed.clear()
    return shop


def looks(shop: Shop) -> list[Candidate]:
    return [each for each in shop.proposed if each.trigger == CHURN]


def lapses(shop: Shop) -> list[Candidate]:
    return [each for each in looks(shop) if all(condition.met for condition in each.conditions)]


def churn(shop: Shop) -> list[int]:
    """The days of the announcements."""
    return [(each.at - START) // DAY for each in lapses(shop)]


def test_the_first_look_comes_after_the_own_rhythm_times_the_policy_s_factor() -> None:
    shop = bought(Shop(), 0, 10, 20, 30, 40)
    cadence = (30 + 4 * 10) / 5
    due = 40 * DAY + round(cadence * 1.5 * DAY)
    shop.until(due - 1)
    assert shop.churn_model.shown == []
    shop.until(due)
    assert len(shop.churn_model.shown) == 1
    assert churn(shop) == [61]


def test_a_quick_buyer_is_looked_at_before_a_slow_one() -> None:
    quick, slow = bought(Shop(), *range(0, 50, 5)), bought(Shop(), 0, 60, 120)
    assert quick.row.timers["churn_risk:silence"] < START + (45 + 15) * DAY
    assert slow.row.timers["churn_risk:silence"] > START + (120 + 60) * DAY


def test_a_lapse_is_announced_once_however_many_looks_follow() -> None:
    shop = bought(Shop(), 0, 10, 20)
    shop.until(200 * DAY)
    assert len(shop.churn_model.shown) > 5
    assert len(churn(shop)) == 1


def test_every_look_says_what_the_model_said_and_what_a_lapse_still_lacks() -> None:
    shop = bought(Shop(), 0, 10, 20)
    said = []
    for p in (0.59, 0.6, 0.5, 0.3):
        shop.churn_model.p = p
        shop.until(shop.row.timers["churn_risk:silence"] - START)
        unmet = [each.name for each in looks(shop)[-1].conditions if not each.met]
        said.append((looks(shop)[-1].reason_code, unmet))
    assert said == [
        ("score_below_threshold", ["score"]),
        ("silence_long_for_own_rhythm", []),
        ("already_announced", ["already_announced"]),
        ("score_below_threshold", ["score"]),
    ]
    assert [each.score for each in looks(shop)] == [0.59, 0.6, 0.5, 0.3]
    assert len({each.occurrence for each in looks(shop)}) == 4
    assert all(each.features and each.horizon_ms == 90 * DAY for each in looks(shop))


def test_orders_of_one_day_do_not_make_a_quick_buyer() -> None:
    once, often = bought(Shop(), 0, 30), bought(Shop(), 0, 30)
    for nth in range(3):
        often.happens(
            30 * DAY + (nth + 1) * MINUTE,
            "orders",
            "order_placed",
            order_id=f"again{nth}",
            items=[product()],
            total=1.0,
        )
    due = once.row.timers["churn_risk:silence"]
    assert often.row.timers["churn_risk:silence"] == due + 3 * MINUTE


def test_the_looks_end_when_the_customer_is_gone() -> None:
    shop = bought(Shop(), 0, 10, 20)
    shop.until(1000 * DAY)
    assert "churn_risk:silence" not in shop.row.timers


@pytest.mark.parametrize(("p", "fires"), [(0.6, True), (0.5999, False)])
def test_the_lapse_begins_at_the_threshold(p: float, fires: bool) -> None:
    shop = bought(Shop(), 0, 10, 20)
    shop.churn_model.p = p
    shop.until(200 * DAY)
    assert bool(churn(shop)) is fires


def test_between_release_and_threshold_nothing_changes() -> None:
    shop = bought(Shop(), 0, 10, 20)
    shop.until(46 * DAY)
    for p in (0.5, 0.9, 0.4, 0.9):
        shop.churn_model.p = p
        shop.until((shop.row.timers["churn_risk:silence"]) - START)
    assert len(churn(shop)) == 1


def test_below_release_the_lapse_is_over_and_the_next_one_is_announced_again() -> None:
    shop = bought(Shop(), 0, 10, 20)
    shop.until(46 * DAY)
    for p in (0.39, 0.9):
        shop.churn_model.p = p
        shop.until((shop.row.timers["churn_risk:silence"]) - START)
    first, second = lapses(shop)
    assert first.occurrence != second.occurrence


def test_a_purchase_ends_the_lapse_and_the_next_silence_is_announced_again() -> None:
    shop = bought(Shop(), 0, 10, 20)
    shop.until(60 * DAY)
    assert len(churn(shop)) == 1
    shop.happens(61 * DAY, "orders", "order_placed", order_id="new", items=[product()], total=1)
    shop.until(200 * DAY)
    assert len(churn(shop)) == 2


def test_a_follow_up_delivery_is_no_purchase() -> None:
    shop = bought(Shop(), 0, 10, 20)
    due = shop.row.timers["churn_risk:silence"]
    shop.happens(
        21 * DAY, "orders", "order_placed", order_id="f", items=[product()], total=0, follows_order_id="o20"
    )
    assert shop.row.timers["churn_risk:silence"] == due


def test_an_order_told_again_is_no_purchase() -> None:
    shop = bought(Shop(), 0, 10, 20)
    shop.until(60 * DAY)
    shop.happens(61 * DAY, "orders", "order_placed", order_id="o20", items=[product()], total=12.0)
    shop.until(200 * DAY)
    assert len(churn(shop)) == 1


def test_without_profiling_there_is_no_score_and_no_candidate_but_the_looks_go_on() -> None:
    shop = bought(Shop(profiling=False), 0, 10, 20)
    shop.until(60 * DAY)
    assert (shop.churn_model.shown, looks(shop)) == ([], [])
    shop.row.consent["profiling"] = Permission("granted", START, "form-2")
    shop.until(75 * DAY)
    assert len(churn(shop)) == 1


def test_a_held_lapse_is_dropped_by_a_purchase_and_by_a_better_score() -> None:
    shop = bought(Shop(), 0, 10, 20)
    shop.until(60 * DAY)
    (left,) = lapses(shop)
    again = shop.recheck(left, 61 * DAY)
    assert again is not None
    assert again.occurrence == left.occurrence
    assert again.expires_at == left.expires_at
    shop.churn_model.p = 0.1
    assert shop.recheck(left, 61 * DAY) is None
    assert not shop.row.churn.lapsed


def test_the_candidate_rests_on_its_score() -> None:
    shop = bought(Shop(), 0, 10, 20)
    shop.until(60 * DAY)
    (left,) = lapses(shop)
    assert {"score", "threshold", "silence_days", "cadence_days"} <= {each.name for each in left.conditions}
    assert (left.score, left.model, left.category, left.cancels_on) == (
        0.9,
        "churn",
        "marketing",
        ("orders",),
    )
    assert "0.9" not in left.reason_customer.en + left.reason_customer.es
