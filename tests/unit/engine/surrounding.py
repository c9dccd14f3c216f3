"""What a task needs around it to be made; what it does not touch in a test is nothing."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

from streams.engine.outputs import Outputs
from streams.engine.task import Surroundings
from streams.settings import Settings

_NO_THREADS = ThreadPoolExecutor(1)
"""Never used: it starts none."""


def surroundings(*, lease: Any = None, core: Any = None) -> Surroundings:
    """Of a task that has this lease, and sends its batches there."""
    anything: Any = SimpleNamespace()
    return Surroundings(
        settings=Settings(app_id="app"),
        lease=lease,
        source=anything,
        versions=anything,
        outputs=Outputs("app-changelog", 100),
        changelog_topic="app-changelog",
        decoders={},
        core=core,
        metrics=anything,
        threads=_NO_THREADS,
        committed=anything,
    )
