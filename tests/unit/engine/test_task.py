"""For how long a task runs, and when it opens anew."""

import asyncio

import pytest

from streams.engine.task import OpeningGivenUp, Task
from tests.bench import task as core
from tests.unit.engine.surrounding import surroundings


class Leases:
    """What a task asks of its worker's lease: task 0 is this worker's."""

    def __init__(self) -> None:
        self.wanted = {0}
        self.terms = 1

    def term(self, task: int) -> int:
        return self.terms

    def blink(self) -> None:
        """The lease goes and comes back before anybody looks."""
        self.terms += 1


class Steps(Task):
    """Tells what it does; the lease blinks in the opening or the batch of that number."""

    def __init__(self, leases: Leases, blinks_in: str) -> None:
        super().__init__(0, core.task(0, 1, {}), surroundings(lease=leases))
        self.steps: list[str] = []
        self._leases = leases
        self._blinks_in = blinks_in

    async def _open(self) -> None:
        self._step("open")
        if not self._is_in_term:
            raise OpeningGivenUp

    async def _batch(self) -> bool:
        self._step("batch")
        if len(self.steps) > 6:
            self.stop()
        return True

    async def _close(self) -> None:
        self._step("close")

    def _step(self, step: str) -> None:
        self.steps.append(step)
        if self._blinks_in == f"{step} {self.steps.count(step)}":
            self._leases.blink()


@pytest.mark.parametrize(
    ("blinks_in", "steps"),
    [
        ("", "open batch batch batch batch batch batch close"),
        ("open 1", "open close open batch batch batch batch close"),
        ("batch 2", "open batch batch close open batch batch close"),
    ],
)
def test_a_task_opens_anew_when_its_lease_was_away_even_if_it_has_come_back(
    blinks_in: str, steps: str
) -> None:
    task = Steps(Leases(), blinks_in)
    asyncio.run(task.run())
    assert " ".join(task.steps) == steps
