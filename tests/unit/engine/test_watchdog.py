from typing import NamedTuple

import pytest

from streams.engine.watchdog import stuck_task


class Looked(NamedTuple):
    phase: str
    since: float


@pytest.mark.parametrize("phase", ["open", "merge", "advance", "commit"])
def test_a_phase_without_progress_is_named_with_its_task(phase: str) -> None:
    tasks = {3: Looked("idle", 0.0), 7: Looked(phase, 40.0)}
    assert stuck_task(tasks, 100.0, 60.0) is None
    assert stuck_task(tasks, 100.1, 60.0) == f"task 7 has made no progress in '{phase}' for 60 s"


def test_a_task_with_nothing_to_do_may_do_nothing_for_ever() -> None:
    assert stuck_task({1: Looked("idle", 0.0)}, 1e9, 60.0) is None
