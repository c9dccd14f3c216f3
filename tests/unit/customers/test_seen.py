import pytest

from schemas.customer import MAX_SEEN, Customer
from streams.customers.seen import admit
from tests.unit.customers.builders import HOUR, KEY, MINUTE, T0


def test_an_id_is_admitted_once() -> None:
    row = Customer(KEY)
    assert admit(row, "web", "e1", T0, T0 - HOUR) == "applied"
    assert admit(row, "web", "e1", T0, T0 - HOUR) == "duplicate"


def test_the_same_id_of_another_touchpoint_is_another_event() -> None:
    row = Customer(KEY)
    admit(row, "web", "e1", T0, T0 - HOUR)
    assert admit(row, "orders", "e1", T0, T0 - HOUR) == "applied"


@pytest.mark.parametrize(("behind", "verdict"), [(0, "applied"), (1, "late")])
@pytest.mark.parametrize("known", [False, True])
def test_exactly_at_the_horizon_is_punctual_and_a_millisecond_before_is_late(
    behind: int, verdict: str, known: bool
) -> None:
    row = Customer(KEY)
    if known:
        admit(row, "web", "earlier", T0 + 5, T0)
    assert admit(row, "web", "e1", T0 - behind, T0) == verdict


def test_a_late_event_leaves_no_trace() -> None:
    row = Customer(KEY)
    admit(row, "web", "e1", T0 - 1, T0)
    assert row == Customer(KEY)


def test_ids_that_could_only_be_late_leave_the_window() -> None:
    row = Customer(KEY)
    for minute in range(120):
        at = T0 + minute * MINUTE
        admit(row, "web", f"e{minute}", at, at - HOUR)
    assert len(row.seen["web"]) <= 60 + 12
    assert min(row.seen["web"].values()) >= T0 + 119 * MINUTE - HOUR - 11 * MINUTE


def test_what_is_just_punctual_stays_when_older_ids_leave() -> None:
    row = Customer(KEY)
    for event_id, at in (("old", T0), ("edge", T0 + HOUR), ("new", T0 + 2 * HOUR)):
        admit(row, "web", event_id, at, T0 + HOUR if event_id == "new" else T0)
    assert list(row.seen["web"].values()) == [T0 + HOUR, T0 + 2 * HOUR]
    assert admit(row, "web", "edge", T0 + HOUR, T0 + HOUR) == "duplicate"


def test_a_full_window_forgets_what_happened_first_and_never_admits_it_again() -> None:
    row = Customer(KEY)
    # Arriving backwards: the oldest arrival is the newest event.
    events = {f"e{i}": T0 + MAX_SEEN + 1 - i for i in range(MAX_SEEN + 1)}
    for event_id, at in events.items():
        assert admit(row, "web", event_id, at, 0) == "applied"
    assert len(row.seen["web"]) == MAX_SEEN + 1 - MAX_SEEN // 4
    assert row.seen_floor["web"] == T0 + MAX_SEEN // 4
    assert all(admit(row, "web", event_id, at, 0) != "applied" for event_id, at in events.items())
    assert admit(row, "web", "new, below the floor", T0 + 1, 0) == "late"
    assert admit(row, "web", "new, above the floor", T0 + MAX_SEEN // 4 + 1, 0) == "applied"


def test_a_window_full_of_one_moment_is_forgotten_as_a_whole_and_safely() -> None:
    row = Customer(KEY)
    for i in range(MAX_SEEN + 1):
        assert admit(row, "web", f"e{i}", T0, 0) == "applied"
    assert row.seen["web"] == {}
    assert admit(row, "web", "e1", T0, 0) == "late"
    assert admit(row, "web", "later", T0 + 1, 0) == "applied"


def test_the_floor_of_one_touchpoint_is_none_of_another() -> None:
    row = Customer(KEY)
    row.seen_floor["web"] = T0
    assert admit(row, "orders", "e1", T0 - 1, 0) == "applied"
    assert admit(row, "web", "e1", T0, 0) == "late"
