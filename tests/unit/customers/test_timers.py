import pytest

from schemas.customer import MAX_TIMERS, Customer
from streams.customers.timers import cancel_family, cancel_timer, set_timer
from tests.unit.customers.builders import KEY, T0


def test_setting_a_timer_again_moves_it() -> None:
    row = Customer(KEY)
    set_timer(row, "churn_risk:silence", T0)
    assert set_timer(row, "churn_risk:silence", T0 + 5) is None
    assert row.timers == {"churn_risk:silence": T0 + 5}


def test_a_cancelled_timer_is_gone_and_cancelling_none_is_no_error() -> None:
    row = Customer(KEY)
    set_timer(row, "abandonment:browse", T0)
    cancel_timer(row, "abandonment:browse")
    cancel_timer(row, "abandonment:browse")
    assert row.timers == {}


def test_a_family_is_cancelled_by_its_prefix() -> None:
    row = Customer(KEY)
    for timer_id in ("abandonment:browse", "abandonment:cart:1", "abandonment:cart:2", "churn_risk:silence"):
        set_timer(row, timer_id, T0)
    cancel_family(row, "abandonment:cart:")
    assert list(row.timers) == ["abandonment:browse", "churn_risk:silence"]


@pytest.mark.parametrize("timer_id", ["", "silence", ":rest"])
def test_an_id_without_a_family_is_refused(timer_id: str) -> None:
    with pytest.raises(ValueError, match="<family>:<rest>"):
        set_timer(Customer(KEY), timer_id, T0)


def test_a_full_row_lets_the_last_due_of_the_largest_family_leave_and_says_so() -> None:
    row = Customer(KEY)
    set_timer(row, "label:1", T0 + 10**9)
    for i in range(MAX_TIMERS - 1):
        assert set_timer(row, f"post_purchase:{i}", T0 + i) is None
    assert set_timer(row, "churn_risk:silence", T0 + 10**9) == f"post_purchase:{MAX_TIMERS - 2}"
    assert set_timer(row, "post_purchase:far", T0 + 10**8) == "post_purchase:far"
    assert set_timer(row, "post_purchase:soon", T0) == f"post_purchase:{MAX_TIMERS - 3}"
    assert len(row.timers) == MAX_TIMERS
    assert {"label:1", "churn_risk:silence", "post_purchase:soon"} <= set(row.timers)
