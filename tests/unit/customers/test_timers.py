import pytest

from schemas.customer import MAX_TIMERS, Customer
from streams.customers.timers import cancel_others, cancel_timer, set_timer
from tests.unit.customers.builders import KEY, T0


def test_setting_a_timer_again_moves_it() -> None:
    row = Customer(KEY)
    set_timer(row, "churn_risk:silence", T0)
    set_timer(row, "churn_risk:silence", T0 + 5)
    assert row.timers == {"churn_risk:silence": T0 + 5}


def test_a_cancelled_timer_is_gone_and_cancelling_none_is_no_error() -> None:
    row = Customer(KEY)
    set_timer(row, "abandonment:browse", T0)
    cancel_timer(row, "abandonment:browse")
    cancel_timer(row, "abandonment:browse")
    assert row.timers == {}


def test_what_is_not_kept_is_cancelled_by_its_prefix() -> None:
    row = Customer(KEY)
    for timer_id in ("abandonment:browse", "abandonment:cart:1", "abandonment:cart:2", "churn_risk:silence"):
        set_timer(row, timer_id, T0)
    cancel_others(row, "abandonment:cart:", {"2"})
    assert list(row.timers) == ["abandonment:browse", "abandonment:cart:2", "churn_risk:silence"]


@pytest.mark.parametrize("timer_id", ["", "silence", ":rest"])
def test_an_id_without_a_family_is_refused(timer_id: str) -> None:
    with pytest.raises(ValueError, match="<family>:<rest>"):
        set_timer(Customer(KEY), timer_id, T0)


def test_one_timer_more_than_a_row_may_hold_is_an_error_and_never_a_silent_loss() -> None:
    row = Customer(KEY)
    for i in range(MAX_TIMERS):
        set_timer(row, f"post_purchase:{i}", T0 + i)
    set_timer(row, "post_purchase:0", T0 + 1)
    assert len(row.timers) == MAX_TIMERS
    with pytest.raises(RuntimeError, match="churn_risk is one more"):
        set_timer(row, "churn_risk:silence", T0)
