"""A simulated group coordinator, and the member that asks it for leases: cooperative and sticky, with sessions."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from tests.simulation.engine.loop import PROCESS, Process

if TYPE_CHECKING:
    from tests.simulation.engine.world import World

_CHECK_SECONDS = 0.25


class Group:
    """Who may run which task. A member that is frozen or dead for a session is thrown out."""

    def __init__(self, world: "World", tasks: int, session_seconds: float) -> None:
        self.members: list[Member] = []
        self.owners: dict[int, Member | None] = dict.fromkeys(range(tasks))
        self.targets: dict[int, Member | None] = dict.fromkeys(range(tasks))
        self.generation = 0
        self._world = world
        self._session = session_seconds
        world.loop.outside(_CHECK_SECONDS, self._check)

    def join(self, member: "Member") -> None:
        self.members.append(member)
        self._rebalance()

    def remove(self, member: "Member") -> None:
        """A member leaves, or is thrown out; its tasks are nobody's."""
        if member in self.members:
            self.members.remove(member)
            for task, owner in self.owners.items():
                if owner is member:
                    self.owners[task] = None
            self._rebalance()

    def _check(self) -> None:
        now = self._world.loop.time()
        for member in list(self.members):
            gone_at = member.process.gone_at
            if gone_at is not None and now - gone_at > self._session:
                self.remove(member)
        self._world.loop.outside(_CHECK_SECONDS, self._check)

    def _rebalance(self) -> None:
        """Everybody keeps what it has, up to its share."""
        self.generation += 1
        members, tasks = self.members, sorted(self.owners)
        shares = {
            member: len(tasks) // len(members) + (number < len(tasks) % len(members))
            for number, member in enumerate(members)
        }
        self.targets = dict.fromkeys(tasks)
        for task in tasks:
            member = self.owners[task]
            if member is not None and shares[member]:
                shares[member] -= 1
                self.targets[task] = member
        for task in tasks:
            if self.targets[task] is None:
                member = next((each for each, share in shares.items() if share), None)
                if member is not None:
                    shares[member] -= 1
                    self.targets[task] = member


class Member:
    """confluent_kafka.Consumer, as a lease uses it."""

    def __init__(self, world: "World", config: dict[str, Any]) -> None:
        process = PROCESS.get()
        assert process is not None
        self.process: Process = process
        self._world = world
        self._topic = ""
        self._callbacks: dict[str, Callable[..., None]] = {}
        self._owned: set[int] = set()
        self._generation = -1
        self._is_in = False
        self._heard_at = 0.0

    def subscribe(self, topics: list[str], **callbacks: Callable[..., None]) -> None:
        self._topic, self._callbacks = topics[0], callbacks
        self._join()

    def poll(self, timeout: float) -> None:
        """Take part in the group's rebalances; a member that was thrown out hears it with its next heartbeat."""
        group, now = self._world.group, self._world.loop.time()
        if self._is_in and self not in group.members:
            if now - self.process.woke_at > 0.3:
                self._is_in = False
                self._tell("on_lost", self._owned)
                self._owned = set()
                self._join()
            return
        if not self._is_in or now < self._heard_at:
            return
        self._heard_at = now + self._world.rng.expovariate(10)
        lost = {task for task in self._owned if group.targets[task] is not self}
        if lost:
            self._tell("on_revoke", lost)
            self._owned -= lost
            for task in lost:
                group.owners[task] = None
        self._generation = group.generation
        gained = {
            task for task, target in group.targets.items() if target is self and group.owners[task] is None
        }
        if gained:
            for task in gained:
                group.owners[task] = self
            self._owned |= gained
            self._tell("on_assign", gained)

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition]:
        """The coordinator takes it from every member that is up to date, whatever its tasks."""
        world = self._world
        world.travel()
        if self not in world.group.members:
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_MEMBER_ID, "you are no member"))
        if self._generation != world.group.generation:
            raise KafkaException(KafkaError(KafkaError.ILLEGAL_GENERATION, "a rebalance is under way"))
        for each in offsets:
            world.laws.proved(self.process, each.partition)
        world.reach("proved")
        world.travel()
        return offsets

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        """Nothing is ever read."""

    def pause(self, partitions: list[TopicPartition]) -> None:
        """Nothing is ever read."""

    def close(self) -> None:
        self._is_in = False
        self._world.group.remove(self)

    def _join(self) -> None:
        def joined() -> None:
            if self.process.is_alive:
                self._is_in = True
                self._world.group.join(self)

        self._world.loop.call_later(self._world.rng.expovariate(5), joined)

    def _tell(self, what: str, tasks: set[int]) -> None:
        self._callbacks[what](self, [TopicPartition(self._topic, task) for task in sorted(tasks)])
