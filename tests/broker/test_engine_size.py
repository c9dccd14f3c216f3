"""Big tasks: they take long to open, and whoever works beside them must not notice."""

import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from schemas.customer import Customer
from streams.engine.task_row import TaskRow
from tests.broker.events import START
from tests.broker.filling import fill
from tests.broker.holding import AT, HELD, WHILE
from tests.broker.pausing import TOLD
from tests.broker.traffic import Traffic
from tests.broker.workers import Worker, await_true, deployed

pytestmark = pytest.mark.broker

SESSION_MS = 3_000
ROWS = 1_000_000
PAUSE_MS = 100
TASKS = 3
NEVER = 1 << 42
"""When the rows' timers are due, ms."""


class Pauses(NamedTuple):
    """See `tests.broker.pausing`."""

    busy_ms: int
    still_ms: int


def test_a_restore_of_three_sessions_ends_without_a_second_move(kafka: str, tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    settings = {"time": "events", "idle_ms": 20, "session_timeout_ms": SESSION_MS}
    with deployed(kafka, **settings, agents=("tests.broker.holding",)) as shop:
        traffic = Traffic(shop)
        staying = shop.start().await_ready()
        traffic.send()
        shop.await_taken()

        hold.touch()
        slow = shop.start(**{AT: "restoring", WHILE: str(hold)})
        await_true("two tasks that restore", lambda: len(_said(slow, HELD)) == 2)
        began, moves = time.monotonic(), _moves(staying, slow)
        taken = {line["task"] for line in _said(slow, HELD)}
        await_true("three sessions", lambda: time.monotonic() - began > 3 * SESSION_MS / 1000)
        assert not _said(slow, "task open")
        hold.unlink()
        slow.await_ready()

        assert {line["task"] for line in _said(slow, "task open")} == taken
        assert len(_said(slow, HELD)) == len(_said(slow, "task open")) == 2
        assert sorted(line["task"] for line in _said(staying, "task open")) == [0, 1, 2, 3]
        assert _moves(staying, slow) == moves
        traffic.send()
        shop.await_taken()
        traffic.assert_taken_once()


def test_tasks_that_stay_put_do_not_pause_while_a_big_one_leaves_and_comes_back(kafka: str) -> None:
    """A million rows; a third worker joins, and is killed."""
    settings = {"time": "events", "idle_ms": 20, "session_timeout_ms": SESSION_MS, "partitions": TASKS}
    with deployed(kafka, **settings, agents=("tests.broker.pausing",)) as shop:
        row = Customer("", first_seen=1, last_seen=1, timers={"nothing:": NEVER})
        fill(shop.settings, [row], ROWS, TaskRow(stream_time=START, timer_clock=START))
        with Traffic(shop).flowing():
            old = [shop.start(), shop.start()]
            await_true("shared tasks", lambda: all(each.is_ready and _open(each) for each in old), 120)
            assert sum(each.metric("rows") for each in old) >= ROWS
            usual = _pauses(old, _begin(old), 4)

            opened, began = _openings(old), _begin(old)
            joining = shop.start()
            await_true("a task that moved", lambda: joining.is_ready and _open(joining) == 1, 120)
            assert sum(map(_open, old)) == TASKS - 1
            left = _pauses(old, began, 2)
            assert _openings(old) == opened

            (moved,), began = _openings([joining]), _begin(old)
            joining.kill()
            await_true("all tasks", lambda: sum(map(_open, old)) == TASKS, 120)
            came = _pauses(old, began, 2)
            assert _openings(old) == sorted([*opened, moved])
    sys.stdout.write(f"usual: {usual}; a big task leaves: {left}; it comes back: {came}\n")
    for pauses in (left, came):
        assert pauses.busy_ms <= usual.busy_ms + PAUSE_MS
        assert pauses.still_ms <= usual.still_ms + SESSION_MS / 3


def _said(worker: Worker, what: str) -> list[dict[str, Any]]:
    return [line for line in list(worker.log) if line["message"] == what]


def _moves(*workers: Worker) -> list[list[dict[str, Any]]]:
    """All that each worker ever said of its leases."""
    return [_said(worker, "lease gained") + _said(worker, "lease lost") for worker in workers]


def _open(worker: Worker) -> float:
    return worker.metric("tasks_open")


def _openings(workers: list[Worker]) -> list[int]:
    """Which tasks they have opened so far, each as often as it was."""
    return sorted(line["task"] for worker in workers for line in _said(worker, "task open"))


def _begin(workers: list[Worker]) -> list[int]:
    return [len(_said(worker, TOLD)) for worker in workers]


def _pauses(workers: list[Worker], began: list[int], seconds: int) -> Pauses:
    """The longest of any of them since they had told so many, and for so long from now on."""
    wanted = [told + seconds for told in _begin(workers)]
    await_true("what they tell", lambda: all(map(int.__le__, wanted, _begin(workers))))
    told = [
        Pauses(line["busy_ms"], line["still_ms"])
        for worker, first in zip(workers, began, strict=True)
        for line in _said(worker, TOLD)[first:]
    ]
    return Pauses(*map(max, zip(*told, strict=True)))
