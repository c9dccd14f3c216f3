"""A commit whose outcome is not known, or which Kafka wants to be tried again: the changelog decides what was taken."""

from pathlib import Path

import pytest

from tests.broker.traffic import Traffic
from tests.broker.uncertain import ENDS
from tests.broker.workers import Worker, await_true, deployed

pytestmark = pytest.mark.broker

ENDINGS = {
    "committed unanswered": ("_TIMED_OUT", 0),
    "never sent": ("_TIMED_OUT", 1),
    "to be tried again": ("COORDINATOR_LOAD_IN_PROGRESS", 1),
    "not waited for": ("_TIMED_OUT", None),
}
"""How a commit of one order ends → the error, and how often the order is taken after it; None: Kafka's to know."""


def test_after_a_commit_of_unknown_outcome_the_changelog_decides(kafka: str, tmp_path: Path) -> None:
    ends = tmp_path / "ends"
    settings = {"partitions": 1, "time": "events", "idle_ms": 20, "agents": ("tests.broker.uncertain",)}
    with deployed(kafka, **settings) as shop:
        traffic = Traffic(shop)
        worker = shop.start(**{ENDS: str(ends)}).await_ready()
        known = 0
        for number, (ending, (error, taken_again)) in enumerate(ENDINGS.items(), start=1):
            traffic.send(3)
            known += 3
            await_known(worker, {known})
            ends.write_text(ending)
            traffic.send(1)
            assert error in await_failure(worker, number)
            traffic.send(4)
            shop.await_taken()
            again = {0, 1} if taken_again is None else {taken_again}
            known = await_known(worker, {known + 4 + each for each in again})
        traffic.assert_taken_once()
        assert worker.stop() == 0, worker.said


def await_failure(worker: Worker, number: int) -> str:
    """The error of the batch that fails as the `number`th."""

    def failures() -> list[str]:
        return [line["error"] for line in list(worker.log) if line["message"] == "batch failed"]

    await_true("a failed commit", lambda: len(failures()) == number)
    return failures()[-1]


def await_known(worker: Worker, possible: set[int]) -> int:
    """Wait until the worker has counted so many events: it counts what it knows to be committed."""
    await_true(f"{possible} events", lambda: worker.metric("consumed_total") in possible)
    return int(worker.metric("consumed_total"))
