"""A soak's verdict is red for what grows, and green for what only wavers."""

from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from tests.soak.faults import MOVING
from tests.soak.samples import Look, Moment, Struck
from tests.soak.verdict import Compared, Outcome, judge, settle

SECONDS = 3_600
STEP = 2
RATE = 2_000
ROW = {"bytes": 4_000.0, "seen": 80.0, "contacts": 39.0}

STRUCK = [
    *(Struck(name, at, at + 20) for name, at in zip(MOVING, range(300, 700, 100), strict=True)),
    *(Struck("duplicates", at, at + 20) for at in range(800, 3_200, 120)),
]

Course = Callable[[float], float]
"""A value by the share of the time that has passed."""


def wavering(level: float, by: float = 0.02) -> Course:
    rng = Random(level)
    return lambda share: level * (1 + rng.uniform(-by, by))


def seen(
    memory: Course = lambda share: 300.0,
    files: Course = lambda share: 87,
    threads: Course = lambda share: 54,
    timers: Course = lambda share: 900,
    lag: Course = lambda share: 300,
    tasks: Course = lambda share: 6,
    row: Course = lambda share: 1.0,
    behind: Course = lambda share: 0.3,
    begins: float = 0.0,
) -> list[Moment]:
    """An elder as described, and another that is replaced every ten minutes. Before it `begins` there is none."""
    moments = []
    for at in range(STEP, SECONDS, STEP):
        share, held = at / SECONDS, round(tasks(at / SECONDS))
        elder = Look("elder", memory(share), round(files(share)), round(threads(share)), held)
        elder.timers, elder.lag = round(timers(share) / 2), round(lag(share) / 2)
        other = Look(f"other-{at // 600}", 250.0, 78, 44, 12 - held, elder.timers, 0, elder.lag)
        elder.watermark_lag = behind(share)
        if share < begins:
            elder.name = "before"
        rows = {name: size * row(share) if name != "contacts" else size for name, size in ROW.items()}
        moments.append(Moment(at, at * RATE, [elder, other], rows if at % 10 == 0 else {}))
    return moments


def reds(compared: list[Compared]) -> list[str]:
    return [each.name for each in compared if not each.is_green]


def test_what_only_wavers_is_green() -> None:
    moments = seen(
        memory=wavering(300),
        files=wavering(87),
        threads=wavering(54),
        timers=wavering(900, by=0.1),
        lag=wavering(300, by=0.9),
        row=wavering(1),
    )
    compared = judge(moments, STRUCK, SECONDS, RATE)
    assert not reds(compared)
    assert {"memory of elder, MiB", "open files", "open timers", "bytes a row", "lag, records"} <= {
        each.name for each in compared
    }


def test_memory_may_rise_while_it_warms_up() -> None:
    assert not reds(
        judge(seen(memory=lambda share: 100 + 200 * min(share, 0.2) / 0.2), STRUCK, SECONDS, RATE)
    )


@pytest.mark.parametrize("by", [60.0, 300.0])
def test_a_slow_leak_is_red(by: float) -> None:
    red = reds(judge(seen(memory=lambda share: 300 + by * share), STRUCK, SECONDS, RATE))
    assert red == ["memory of elder, MiB", "memory of elder between faults, MiB"]


def test_what_taking_tasks_over_costs_is_judged_only_where_all_of_it_came_in_the_warm_up() -> None:
    at = STRUCK[12].at
    steps = seen(memory=lambda share: 300 if share < (at + 10) / SECONDS else 360)
    assert reds(judge(steps, STRUCK, SECONDS, RATE)) == ["memory of elder, MiB"]
    assert not reds(judge(steps, STRUCK[1:], SECONDS, RATE))


def test_memory_is_compared_at_the_same_number_of_tasks() -> None:
    takes_all = {number / 10 for number in range(8, 10)}

    def tasks(share: float) -> int:
        return 12 if any(begin <= share < begin + 0.03 for begin in takes_all) else 6

    outage = seen(memory=lambda share: 400 if tasks(share) == 12 else 300, tasks=tasks)
    assert not reds(judge(outage, STRUCK, SECONDS, RATE))
    leak = seen(memory=lambda share: (400 if tasks(share) == 12 else 300) + 60 * share, tasks=tasks)
    assert "memory of elder, MiB" in reds(judge(leak, STRUCK, SECONDS, RATE))


def test_a_leak_of_sockets_or_threads_is_red() -> None:
    leak = seen(files=lambda share: 87 + 20 * share, threads=lambda share: 54 + 20 * share)
    assert reds(judge(leak, STRUCK, SECONDS, RATE)) == ["open files", "threads"]


@pytest.mark.parametrize("end", [600, 1_200])
def test_timers_that_get_lost_or_remain_are_red(end: int) -> None:
    moments = seen(timers=lambda share: 900 + (end - 900) * share)
    assert reds(judge(moments, STRUCK, SECONDS, RATE)) == ["open timers"]


def test_a_row_that_grows_is_red_and_says_what_grew_in_it() -> None:
    (red,) = [
        each for each in judge(seen(row=lambda share: 1 + share), STRUCK, SECONDS, RATE) if not each.is_green
    ]
    assert red.name == "bytes a row"
    assert "seen" in red.says
    assert "contacts" not in red.says


def test_lag_that_grows_is_red() -> None:
    assert reds(judge(seen(lag=lambda share: 300 + 20_000 * share), STRUCK, SECONDS, RATE)) == [
        "lag, records"
    ]


def test_events_that_are_sent_long_after_their_time_are_red_though_nothing_lags() -> None:
    assert not reds(judge(seen(behind=lambda share: 1.9), STRUCK, SECONDS, RATE))
    assert reds(judge(seen(behind=lambda share: 300 * share), STRUCK, SECONDS, RATE)) == [
        "stream time behind, s"
    ]


def test_a_run_in_which_nobody_lived_long_enough_is_red() -> None:
    (red,) = [each for each in judge(seen(begins=0.5), STRUCK, SECONDS, RATE) if not each.is_green]
    assert "no worker" in red.says


def test_a_run_that_saw_nothing_is_red() -> None:
    assert len(reds(judge([], [], SECONDS, RATE))) == 8


GOOD = Outcome(
    lag=0,
    doubled=0,
    letters=Counter(too_large=3),
    provoked=Counter(too_large=3),
    books={"elder": (70.0, 70.0)},
    happened={"actions": 7},
)


def test_books_that_balance_are_green() -> None:
    assert not reds(settle(GOOD))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"lag": 1}, "lag at the end"),
        ({"doubled": 1}, "actions with an id seen before"),
        ({"letters": Counter(too_large=3, late=1)}, "dead letters: late"),
        ({"letters": Counter(too_large=2)}, "dead letters: too_large"),
        ({"books": {"elder": (70.0, 69.0)}}, "books of elder"),
        ({"happened": {"actions": 0}}, "actions"),
    ],
)
def test_whatever_is_left_over_is_red(changed: dict[str, object], said: str) -> None:
    assert reds(settle(GOOD._replace(**changed))) == [said]  # type: ignore[arg-type]


def test_a_leak_is_red_even_where_tasks_are_still_moved_in_new_ways() -> None:
    leak = seen(memory=lambda share: 300 + 60 * share)
    assert reds(judge(leak, STRUCK[1:], SECONDS, RATE)) == ["memory of elder between faults, MiB"]


def test_a_run_without_peace_is_too_short_to_tell() -> None:
    restless = [Struck("duplicates", at, at + 10) for at in range(100, SECONDS, 20)]
    (red,) = [each for each in judge(seen(), restless, SECONDS, RATE) if not each.is_green]
    assert "too short" in red.says


def test_files_and_threads_may_change_hands() -> None:
    moments = seen()
    for moment in moments:
        teacher = moment.workers[moment.at > SECONDS / 2]
        teacher.files, teacher.threads = teacher.files + 20, teacher.threads + 20
    assert not reds(judge(moments, STRUCK, SECONDS, RATE))


def test_a_flow_that_is_not_what_was_planned_is_red() -> None:
    assert reds(judge(seen(), STRUCK, SECONDS, 1.3 * RATE)) == ["events/s"]
