"""One sequence out of the examples of all tasks, the same whatever the order in which partitions arrive.

Always the least record goes first, by (time, partition), among those that stand first in their partitions; so a
partition's own order is kept even if its times go back. Nobody overtakes: while a partition has nothing to show,
only what lies before its last record may pass, and a watermark is such a record.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from schemas.event import Millis, to_millis
from schemas.example import Example, ExamplesWatermark


class Merged(NamedTuple):
    """An example whose turn has come, and where it lay."""

    partition: int
    offset: int
    example: Example


class _Queued(NamedTuple):
    time: Millis
    offset: int
    example: Example | None


class ExampleMerge:
    """Takes records as they come, gives examples in their order. Holds what it cannot let through yet."""

    def __init__(self, partitions: Iterable[int], next_offsets: Mapping[int, int] | None = None) -> None:
        """Begin at `next_offsets`; a partition that is not named there begins at its beginning."""
        self._next_offsets = dict(next_offsets or {})
        self._passed: dict[int, int] = {}
        self._queues: dict[int, deque[_Queued]] = {number: deque() for number in sorted(partitions)}
        self._last = dict.fromkeys(self._queues, 0)
        self._expected = {number: self._next_offsets.get(number, 0) for number in self._queues}

    def push(self, partition: int, offset: int, record: Example | ExamplesWatermark) -> None:
        """Take a partition's next record; one below the offset already reached is ignored.

        Raises KeyError for a partition that is not merged here.
        """
        if offset < self._expected[partition]:
            return
        self._expected[partition] = offset + 1
        if isinstance(record, Example):
            queued = _Queued(to_millis(record.resolved_at), offset, record)
        else:
            queued = _Queued(to_millis(record.up_to), offset, None)
        self._last[partition] = queued.time
        self._queues[partition].append(queued)

    def pop(self) -> Merged | None:
        """The next example, or None while it cannot be known: while a partition's next record is missing."""
        while (partition := self._first()) is not None:
            _, offset, example = self._queues[partition].popleft()
            self._passed[partition] = offset + 1
            if example is not None:
                self._next_offsets.update(self._passed)
                self._passed = {}
                return Merged(partition, offset, example)
        return None

    def next_offsets(self) -> dict[int, int]:
        """Where to begin anew after the last example given: a function of the examples given alone.

        Watermarks passed since then are not counted: how many there are depends on the arrival.
        """
        return dict(sorted(self._next_offsets.items()))

    def queued(self, partition: int) -> int:
        """Records of the partition that are held; its reading should pause when they are many."""
        return len(self._queues[partition])

    def waits_for(self) -> list[int]:
        """The partitions that keep the others waiting: their next record is missing."""
        first = min((self._bound(number) for number, queue in self._queues.items() if queue), default=None)
        if first is None:
            return []
        return [number for number, queue in self._queues.items() if not queue and self._bound(number) < first]

    def _first(self) -> int | None:
        """The partition whose turn it is, None if that one has nothing to show."""
        partition = min(self._queues, key=self._bound, default=None)
        return partition if partition is not None and self._queues[partition] else None

    def _bound(self, partition: int) -> tuple[Millis, int]:
        queue = self._queues[partition]
        return (queue[0].time if queue else self._last[partition], partition)
