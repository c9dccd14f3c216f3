"""What a task forgets when it lets go of its producer."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from streams.engine.changelog import Changelog
from streams.engine.fence import Fence
from streams.engine.outputs import Outputs
from streams.engine.store import Store
from streams.engine.task_row import TaskRow
from streams.settings import Settings

COMMITTED = TaskRow(stream_time=5)


@pytest.mark.parametrize(("were_away", "restores_from"), [(False, COMMITTED), (True, TaskRow())])
def test_what_counted_as_committed_is_read_anew_only_after_all_brokers_were_away(
    were_away: bool, restores_from: TaskRow
) -> None:
    changelog = Changelog("app-changelog", 0, Store(10))
    changelog.note(COMMITTED, 9)
    nobody: Any = None
    with ThreadPoolExecutor(1) as threads:
        fence = Fence(Settings(app_id="app"), nobody, Outputs("app-changelog", 100), changelog, threads)
        producer: Any = SimpleNamespace(close=lambda: None, brokers_were_away=were_away)
        fence._transaction = producer

        asyncio.run(fence.close())

    assert changelog.task_row == restores_from
