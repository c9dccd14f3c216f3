from itertools import permutations

import pytest

from schemas.customer import MAX_SESSIONS, Customer, Session
from streams.customers.sessions import SESSION_GAP, extend
from tests.unit.customers.builders import KEY, T0


def sessions(*times: int) -> list[Session]:
    row = Customer(KEY)
    for at in times:
        extend(row, at)
    return row.sessions


@pytest.mark.parametrize(("gap", "expected"), [(SESSION_GAP, 1), (SESSION_GAP + 1, 2)])
def test_a_gap_of_exactly_thirty_minutes_joins_and_a_millisecond_more_parts(gap: int, expected: int) -> None:
    assert SESSION_GAP == 30 * 60 * 1000
    assert len(sessions(T0, T0 + gap)) == expected
    assert len(sessions(T0 + gap, T0)) == expected


def test_an_event_between_two_sessions_makes_one_of_them_in_any_order() -> None:
    times = (T0, T0 + SESSION_GAP, T0 + 2 * SESSION_GAP)
    for order in permutations(times):
        assert sessions(*order) == [Session(times[0], times[2], 3)]


def test_a_session_knows_what_was_done_in_it() -> None:
    row = Customer(KEY)
    extend(row, T0, views=1)
    extend(row, T0 + 2 * SESSION_GAP, adds=1)
    extend(row, T0 + SESSION_GAP)
    assert row.sessions == [Session(T0, T0 + 2 * SESSION_GAP, 3, 1, 1)]


def test_the_newest_sessions_are_kept() -> None:
    starts = [T0 + i * 2 * SESSION_GAP for i in range(MAX_SESSIONS + 3)]
    assert [each.start for each in sessions(*starts)] == starts[3:]


def test_an_act_before_the_oldest_of_a_full_list_is_not_counted() -> None:
    starts = [T0 + i * 2 * SESSION_GAP for i in range(MAX_SESSIONS)]
    assert sessions(*starts, T0 - 2 * SESSION_GAP) == sessions(*starts)
