"""For how long a task runs."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from streams.engine.outputs import Outputs
from streams.engine.task import Surroundings, Task
from streams.settings import Settings
from tests.bench import task as core


class Leases:
    """What a task asks of its worker's lease."""

    def __init__(self) -> None:
        self.wanted = {0}
        self.terms = 1

    def term(self, task: int) -> int:
        return self.terms if task == 0 else 0


@pytest.mark.parametrize(("terms", "is_wanted"), [(1, True), (2, False)])
def test_a_task_does_not_outlive_its_term_even_if_the_lease_has_come_back_before_it_looked(
    terms: int, is_wanted: bool
) -> None:
    leases: Any = Leases()
    anything: Any = SimpleNamespace()
    with ThreadPoolExecutor(1) as threads:
        surroundings = Surroundings(
            settings=Settings(app_id="app"),
            lease=leases,
            source=anything,
            versions=anything,
            outputs=Outputs("app-changelog", 100),
            changelog_topic="app-changelog",
            decoders={},
            core=anything,
            metrics=anything,
            threads=threads,
            committed=anything,
        )
        task = Task(0, core.task(0, 1, {}), surroundings)
        leases.terms = terms

        assert task._is_wanted is is_wanted
