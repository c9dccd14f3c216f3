"""One sequence out of the examples of all tasks, the same whatever the order in which partitions arrive.

Records are ordered by (time, partition, offset). A partition's time never goes back: a record's time is the
largest that its partition has shown until then, in examples or in watermarks. Nobody overtakes: an example is
let through only when no partition can still bring one that belongs before it.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from models.snapshot import Position
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

    def __init__(self, partitions: Iterable[int], position: Position | None = None) -> None:
        """Begin at `position`: a merge that is begun anew there goes on with the same sequence."""
        self._position = position or Position()
        self._queues: dict[int, deque[_Queued]] = {number: deque() for number in sorted(partitions)}
        self._reached = dict.fromkeys(self._queues, self._position.up_to)
        self._next = {number: self._position.next_offsets.get(number, 0) for number in self._queues}
        self._passed: dict[int, int] = {}

    def push(self, partition: int, offset: int, record: Example | ExamplesWatermark) -> None:
        """Take a partition's next record; one below the offset already reached is ignored.

        Raises KeyError for a partition that is not merged here.
        """
        if offset < self._next[partition]:
            return
        self._next[partition] = offset + 1
        moment = record.up_to if isinstance(record, ExamplesWatermark) else record.resolved_at
        time = self._reached[partition] = max(self._reached[partition], to_millis(moment))
        example = record if isinstance(record, Example) else None
        self._queues[partition].append(_Queued(time, offset, example))

    def pop(self) -> Merged | None:
        """The next example, or None while it cannot be known: while a partition's next record is missing."""
        while True:
            first = self._first()
            if first is None:
                return None
            time, partition = first
            _, offset, example = self._queues[partition].popleft()
            self._passed[partition] = offset + 1
            if example is not None:
                self._position = Position(self._position.next_offsets | self._passed, time)
                self._passed = {}
                return Merged(partition, offset, example)

    def position(self) -> Position:
        """Where to begin anew after the last example given: a function of the examples given alone."""
        return self._position

    def queued(self, partition: int) -> int:
        """Records of the partition that are held; its reading should pause when they are many."""
        return len(self._queues[partition])

    def waits_for(self) -> list[int]:
        """The partitions whose next record is missing and keeps everybody waiting."""
        bounds = {number: queue[0].time for number, queue in self._queues.items() if queue}
        if not bounds:
            return []
        first = min((time, number) for number, time in bounds.items())
        return [number for number in self._queues if number not in bounds and self._bound(number) < first]

    def _first(self) -> tuple[Millis, int] | None:
        partition = min(self._queues, key=self._bound, default=None)
        if partition is None or not self._queues[partition]:
            return None
        return self._bound(partition)

    def _bound(self, partition: int) -> tuple[Millis, int]:
        """The least (time, partition) that the partition's next record can have."""
        queue = self._queues[partition]
        return (queue[0].time if queue else self._reached[partition], partition)
