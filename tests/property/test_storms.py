"""Laws of the storm breaker for any firings: what it says depends on them alone, and never on who was asked when."""

from collections import Counter
from itertools import accumulate
from typing import NamedTuple

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.event import Millis
from schemas.policy import Storms
from streams.triggers.storms import StormHistory, StormTracker

MINUTE, HOUR = 60_000, 3_600_000
START: Millis = 1_700_000_000_000
POLICY = Storms(limit=12, factor=3, min_history=2, min_count=4)


class Step(NamedTuple):
    """After so long, or before, a trigger would fire so often; or a person releases a name."""

    after: Millis
    what: str
    times: int
    is_release: bool


_AFTER = st.sampled_from([0, 1, 5 * MINUTE, HOUR, HOUR, 30 * HOUR, -2 * HOUR])
_FIRES = st.builds(Step, _AFTER, st.sampled_from(["a.x", "a.y", "b"]), st.integers(1, 15), st.just(False))
_RELEASES = st.builds(Step, _AFTER, st.sampled_from(["a.x", "a", "b", "*"]), st.just(0), st.just(True))
STEPS = st.lists(st.one_of(_FIRES, _FIRES, _FIRES, _RELEASES), max_size=40)


class Fired(NamedTuple):
    """What went out, (step, trigger) each, and all that the tracker knows at the end."""

    out: list[tuple[int, str]]
    history: bytes


def fired(steps: list[Step], restarts: frozenset[int] = frozenset()) -> Fired:
    storms, out, at = StormTracker(POLICY, partitions=1), list[tuple[int, str]](), START
    released: dict[str, int] = {}
    for number, step in enumerate(steps):
        at += step.after
        if number in restarts:
            storms = _restarted(storms)
        if step.is_release:
            released[step.what] = number + 1
        version = max(released.values(), default=0)
        for _ in range(step.times):
            if not storms.is_held(step.what, released):
                storms.note(step.what, at, version)
                out.append((number, step.what))
    return Fired(out, msgspec.msgpack.encode(storms.history))


def _restarted(storms: StormTracker) -> StormTracker:
    packed = msgspec.msgpack.encode(storms.history)
    return StormTracker(POLICY, 1, msgspec.msgpack.decode(packed, type=StormHistory))


@given(STEPS, st.frozensets(st.integers(0, 39)))
def test_restarts_change_nothing(steps: list[Step], restarts: frozenset[int]) -> None:
    assert fired(steps, restarts) == fired(steps)


@given(STEPS)
def test_without_a_release_no_trigger_fires_more_than_its_limit_in_a_window_nor_after_it(
    steps: list[Step],
) -> None:
    steps = [step for step in steps if not step.is_release]
    out, at = fired(steps).out, START
    times = [at := at + step.after for step in steps]
    for trigger in {each for _, each in out}:
        windows = list(accumulate((times[number] // HOUR for number, each in out if each == trigger), max))
        for window, count in Counter(windows).items():
            assert count <= POLICY.limit
            assert count < POLICY.limit or window == windows[-1]


@given(STEPS)
def test_a_trigger_is_judged_by_its_own_firings_alone(steps: list[Step]) -> None:
    mine = [step if step.is_release or step.what == "a.x" else step._replace(times=0) for step in steps]
    assert fired(mine).out == [each for each in fired(steps).out if each[1] == "a.x"]


@given(st.integers(1, 60), st.lists(st.integers(1, 6), min_size=1, max_size=30))
def test_what_never_exceeds_factor_times_the_least_busy_hour_is_never_held(
    hours: int, counts: list[int]
) -> None:
    """The contraharmonic mean is at least the smallest count with a firing."""
    calm = [min(count, min(counts) * 3) for count in counts]
    storms = StormTracker(POLICY, partitions=1)
    for nth, count in enumerate(calm):
        for _ in range(count):
            assert not storms.is_held("a.x", {})
            storms.note("a.x", START + nth * hours * HOUR, 0)
