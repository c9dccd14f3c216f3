"""Crashes and batch cuts leave no trace: the same rows, the same actions, the same records."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.action import Action
from tests.simulation.driver import Entry, Task, merged, run
from tests.simulation.logs import FEEDBACK, HAPPENINGS, WELCOMES, Happening, log_of, with_feedback
from tests.unit.decisions.builders import circumstances

_GIVEN = circumstances(contacts={"cap": 2})
_laws = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    """A log of two customers who began with or without consent, with feedback on their messages."""
    happenings: list[Happening] = draw(HAPPENINGS)
    log = log_of(draw(WELCOMES) + happenings)
    return merged(with_feedback(log, run(merged(log), _GIVEN), draw(FEEDBACK)))


def action_ids(task: Task) -> list[str]:
    return [each.action_id for one in task.outputs for each in one.actions if isinstance(each, Action)]


@_laws
@given(entries())
def test_batches_of_one_seven_and_ten_thousand_agree_to_the_byte(log: list[Entry]) -> None:
    whole = run(log, _GIVEN, sizes=[10_000])

    for size in (1, 7):
        cut = run(log, _GIVEN, sizes=[size])
        assert cut.rows == whole.rows
        assert cut.said == whole.said


@_laws
@given(
    entries(),
    st.frozensets(st.integers(1, 120), max_size=6),
    st.lists(st.integers(1, 40), min_size=1, max_size=4),
)
def test_crashes_leave_no_trace(log: list[Entry], crashes: frozenset[int], sizes: list[int]) -> None:
    without = run(log, _GIVEN)
    crashed = run(log, _GIVEN, sizes, crashes)

    assert crashed.rows == without.rows
    assert crashed.said == without.said
    assert len(set(action_ids(crashed))) == len(action_ids(crashed))


@_laws
@given(entries())
def test_a_log_that_is_delivered_twice_says_everything_once(log: list[Entry]) -> None:
    once = run(log, _GIVEN)
    doubled = run([each for entry in log for each in (entry, entry)], _GIVEN)

    assert doubled.rows == once.rows
    assert doubled.said == once.said
