"""A trigger that fires far more than it usually does is held, and only a person lets it go on."""

import msgspec
import pytest

from schemas.policy import Storms
from streams.triggers.storms import StormHistory, StormTracker

HOUR, DAY = 3_600_000, 86_400_000
START = 1_700_000_000_000 // HOUR * HOUR
CART = "abandonment.cart"
POLICY = Storms(limit=1_000, factor=10, min_history=24, min_count=20)


def fire(storms: StormTracker, times: int, at: int, trigger: str = CART, version: int = 5) -> int:
    """Fire so often at `at`, ms after START, or until it is held; how often it fired."""
    for nth in range(times):
        if storms.is_held(trigger, {}):
            return nth
        storms.note(trigger, START + at, version)
    return times


def usual(policy: Storms = POLICY, *, partitions: int = 1, hours: int = 48, count: int = 4) -> StormTracker:
    """A tracker to which `count` firings an hour are usual."""
    storms = StormTracker(policy, partitions)
    for hour in range(hours):
        assert fire(storms, count, hour * HOUR) == count
    return storms


def test_the_firing_that_reaches_the_limit_goes_out_and_the_next_is_held_without_any_history() -> None:
    storms = StormTracker(POLICY, partitions=1)
    assert fire(storms, 2_000, 0) == 1_000
    assert storms.held({}) == [CART]


def test_the_limit_is_that_of_one_window() -> None:
    storms = StormTracker(POLICY, partitions=1)
    for hour in range(20):
        assert fire(storms, 999, hour * HOUR) == 999


def test_more_than_the_factor_of_what_is_usual_is_a_storm() -> None:
    assert fire(usual(), 500, 48 * HOUR) == 41


def test_the_factor_says_nothing_before_there_is_a_history() -> None:
    assert fire(usual(hours=24), 500, 23 * HOUR) == 500
    assert fire(usual(hours=24), 500, 24 * HOUR) == 41


def test_few_firings_are_no_storm_whatever_is_usual() -> None:
    assert fire(usual(count=1), 500, 48 * HOUR) == 20


@pytest.mark.parametrize(("partitions", "limit", "count"), [(4, 250, 5), (3, 334, 7), (5_000, 1, 1)])
def test_each_task_judges_its_share_rounded_up(partitions: int, limit: int, count: int) -> None:
    assert fire(StormTracker(POLICY, partitions), 2_000, 0) == limit
    if limit > 1:
        often = POLICY.model_copy(update={"factor": 1.0})
        assert fire(usual(often, partitions=partitions, count=1), 500, 48 * HOUR) == count


def test_what_fires_once_a_day_is_not_a_storm_whenever_it_fires() -> None:
    storms = StormTracker(POLICY, partitions=1)
    for day in range(30):
        assert fire(storms, 400, day * DAY) == 400


def test_a_silence_takes_nothing_from_what_is_usual() -> None:
    assert fire(usual(), 500, 48 * HOUR + 400 * DAY) == 41


def test_a_lasting_change_is_learned() -> None:
    storms = usual()
    for hour in range(48, 248):
        assert fire(storms, 30, hour * HOUR) == 30
    assert fire(storms, 250, 248 * HOUR) == 250


def test_windows_are_judged_by_event_time_and_an_older_firing_counts_to_the_present_one() -> None:
    storms = usual()
    assert fire(storms, 20, 48 * HOUR) == 20
    assert fire(storms, 20, 30 * HOUR) == 20
    assert fire(storms, 20, 48 * HOUR + HOUR - 1) == 1
    assert storms.history.triggers[CART].window_at == START + 48 * HOUR


def test_triggers_are_judged_each_by_itself() -> None:
    storms = usual()
    fire(storms, 500, 48 * HOUR)
    assert fire(storms, 100, 48 * HOUR, "churn_risk") == 100
    assert storms.held({}) == [CART]


def test_a_hold_does_not_end_by_itself() -> None:
    storms = usual()
    fire(storms, 500, 48 * HOUR)
    for day in range(100):
        assert fire(storms, 1, 48 * HOUR + day * DAY) == 0


@pytest.mark.parametrize("name", [CART, "abandonment", "*"])
def test_a_release_newer_than_the_hold_ends_it_for_trigger_family_or_all(name: str) -> None:
    storms = usual()
    fire(storms, 500, 48 * HOUR, version=7)
    assert storms.is_held(CART, {name: 7})
    assert not storms.is_held(CART, {name: 8})
    assert storms.held({name: 8}) == []


@pytest.mark.parametrize("name", ["churn_risk", "abandonment.checkout", "abandonment.ca"])
def test_a_release_of_another_changes_nothing(name: str) -> None:
    storms = usual()
    fire(storms, 500, 48 * HOUR, version=7)
    assert storms.is_held(CART, {name: 8})


def test_after_a_release_the_window_counts_anew_and_the_storm_is_not_usual() -> None:
    storms = usual()
    fire(storms, 500, 48 * HOUR, version=7)
    storms.note(CART, START + 48 * HOUR + 1, 8)
    assert not storms.is_held(CART, {})
    assert fire(storms, 500, 48 * HOUR + 2, version=8) == 40
    assert storms.is_held(CART, {CART: 8})
    assert not storms.is_held(CART, {CART: 9})


def test_the_time_of_a_hold_is_not_usual_either() -> None:
    storms = usual()
    before = storms.history.triggers[CART].windows
    fire(storms, 500, 48 * HOUR)
    storms.note(CART, START + 148 * HOUR, 8)
    assert storms.history.triggers[CART].windows == before + 1
    assert storms.history.triggers[CART].window_at == START + 148 * HOUR


def test_the_history_goes_through_the_task_row_unchanged() -> None:
    storms = usual()
    fire(storms, 500, 48 * HOUR)
    packed = msgspec.msgpack.encode(storms.history)
    again = StormTracker(POLICY, 1, msgspec.msgpack.decode(packed, type=StormHistory))
    assert again.held({}) == [CART]
    for each in (storms, again):
        each.note(CART, START + 49 * HOUR, 8)
    assert msgspec.msgpack.encode(again.history) == msgspec.msgpack.encode(storms.history)


def test_with_windows_of_another_length_usual_is_learned_anew_and_the_held_stays_held() -> None:
    storms = usual()
    fire(storms, 500, 48 * HOUR, version=7)
    fire(storms, 4, 48 * HOUR, "churn_risk")
    longer = POLICY.model_copy(update={"window": DAY})
    storms = StormTracker(longer, 1, storms.history)
    assert storms.is_held(CART, {CART: 7})
    assert not storms.is_held(CART, {CART: 8})
    assert fire(storms, 999, 49 * HOUR, "churn_risk") == 999
    assert fire(storms, 999, 48 * HOUR + DAY, "churn_risk") == 999
    assert storms.history.triggers["churn_risk"].window_at % DAY == 0


def test_trackers_do_not_share_their_history() -> None:
    fire(StormTracker(POLICY, 1), 1, 0)
    assert StormTracker(POLICY, 1).history.triggers == {}
