"""What a live task is moved by that is not in the log: versions that changed, timers that the wall clock fired."""

from streams.engine.batch import Batch
from streams.engine.state import TaskState
from streams.engine.task_row import TaskRow


class Journal:
    """Collects such facts until a batch is written; its record goes into that batch's transaction."""

    def __init__(self, state: TaskState) -> None:
        self._state = state
        self._changed: dict[str, object] = {}

    def open(self, row: TaskRow) -> None:
        """Note what is in force now and was not when the task row was written: another process's policy, say."""
        given = self._state.circumstances
        self._changed = {}
        if row.policy_version != given.policy_version:
            self._changed["policy_version"] = given.policy_version
        if row.reference_version != given.reference_version:
            self._changed |= {"reference_version": given.reference_version, "paused": sorted(given.paused)}
        versions = {name: scorer.version for name, scorer in sorted(given.scorers.items())}
        if row.model_versions != versions:
            self._changed["model_versions"] = versions

    def note(self, changes: dict[str, object]) -> None:
        """Versions were taken over."""
        self._changed |= changes

    def record(self, batch: Batch) -> dict[str, object] | None:
        """The facts of this batch with its input offsets, or None if there are none.

        The timer clock is one where the wall has moved it past what events say: it decides what fires, now and
        when a later event sets a timer.
        """
        facts, self._changed = self._changed, {}
        state = self._state
        if state.timer_clock > state.stream_time - state.circumstances.policy.time.grace and batch.rows:
            facts["timer_clock"] = state.timer_clock
        if not facts:
            return None
        return {"task": self._state.task, "offsets": dict(self._state.offsets), **facts}
