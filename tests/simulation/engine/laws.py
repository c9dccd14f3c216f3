"""What must hold at every moment of a simulation; what a run breaks is collected, and fails it at its end."""

from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from schemas.customer import prefix
from schemas.topics import ACTIONS, DECISIONS
from streams.engine.batch import Batch
from streams.engine.task import FRESH_MS, Task
from streams.engine.task_row import TASK_ROW_KEY, TaskRow, unpack_task_row
from streams.engine.work import Due
from tests.broker.reading import rows
from tests.simulation.engine.loop import Process

if TYPE_CHECKING:
    from tests.simulation.engine.shop import Shop
    from tests.simulation.engine.world import World


class Laws:
    """Looks on from outside. `broken` says in words what was seen."""

    def __init__(self, world: "World") -> None:
        self.broken: list[str] = []
        self.openings = 0
        self._world = world
        self._writers = 0
        self._is_proved: dict[tuple[Process, int], bool] = defaultdict(bool)
        self._overlooked: list[tuple[Batch, str]] = []

    def proved(self, process: Process, task: int) -> None:
        """Kafka confirmed that this process is a member of the group."""
        self._is_proved[process, task] = True

    def fencing(self, process: Process, transactional_id: str) -> None:
        """A process fences whoever writes for the task. Without the lease it may only if it had just proved it."""
        task = int(transactional_id.split("-")[1])
        owner = self._world.group.owners[task]
        was_proved = self._is_proved[process, task]
        self._is_proved[process, task] = False
        if owner is not None and owner.process is not process and not was_proved:
            self.broken.append(f"{process.name} fences {owner.process.name}, who holds the lease of {task}")

    def next_writer(self, process: Process) -> str:
        """A name for an initialised producer; later ones have greater numbers."""
        self._writers += 1
        return f"{self._writers:06d} {process.name}"

    def opened(self, task: Task) -> None:
        """What a task has restored is what its changelog says."""
        self.openings += 1
        changelog = self._world.broker.partitions[task._changelog.partition.topic, task.number]
        records = [
            each for each in changelog.fetch(0, 1 << 30).records if each.offset < task._changelog._next
        ]
        if rows(records) != task.state.store.packed:
            self.broken.append(f"task {task.number} opens with rows that its changelog does not have")

    def taking(self, due: Due) -> None:
        """The wall may move a task only if nothing waits for it: not even what is not visible yet.

        What came so short ago that the task need not have seen it does not count.
        """
        state, world = due.state, self._world
        if due.clock is None or due.clock <= state.timer_clock:
            return
        before = world.loop.time() - FRESH_MS / 1000 - 0.001
        offsets = dict(state.offsets)
        for item in due.batch.items:
            offsets[item.topic] = item.offset + 1
        for topic, offset in offsets.items():
            for record in world.broker.visible_behind((topic, state.task), offset, before):
                found = f"task {state.task} is moved by the wall past {topic}@{record.offset}"
                self._overlooked.append((due.batch, found))

    def committed(self, batch: Batch) -> None:
        """A batch became visible: if it overlooked something, that cannot be taken back."""
        self.broken += [found for overlooking, found in self._overlooked if overlooking is batch]

    def judge(self, shop: "Shop") -> None:
        """At the end: everything is said once, progress goes only on, writers take turns, no timer is lost."""
        broker = self._world.broker
        said = Counter(each.json["decision_id"] for each in shop.read(DECISIONS))
        said += Counter(dict(each.headers)["ce_id"].decode() for each in shop.read(ACTIONS))
        self.broken += [f"{each} is said {times} times" for each, times in said.items() if times > 1]
        for task in range(shop.settings.partitions):
            partition = broker.partitions[shop.changelog, task]
            writers = [
                each.txn.writer for each in partition.log if each.txn and each.txn.state == "committed"
            ]
            if writers != sorted(writers):
                self.broken.append(f"task {task}: a writer commits after a later one has begun to")
            records = partition.fetch(0, len(partition.log)).records
            stands = [
                unpack_task_row(each.value)
                for each in records
                if each.key == TASK_ROW_KEY and each.value is not None
            ]
            if any(_goes_back(before, after) for before, after in pairwise(stands)):
                self.broken.append(f"task {task}: progress goes back")
            due = min((prefix(row).due for row in rows(records).values() if prefix(row).due), default=None)
            if due is not None and due <= shop.fired_until(stands[-1]):
                self.broken.append(f"task {task}: a timer due at {due} has never fired")


def _goes_back(before: TaskRow, after: TaskRow) -> bool:
    return (
        any(after.offsets.get(topic, 0) < offset for topic, offset in before.offsets.items())
        or after.timer_clock < before.timer_clock
        or after.stream_time < before.stream_time
    )
