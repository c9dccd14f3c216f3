"""A simulated Kafka: partitions with offsets, transactions whose markers take offsets, producers that are fenced."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal, NamedTuple

from confluent_kafka import KafkaError, KafkaException

from tests.broker.reading import Record
from tests.simulation.engine.loop import SimulatedLoop

Place = tuple[str, int]
"""Topic and partition."""

Headers = list[tuple[str, bytes]]


def nothing(place: Place) -> bool:
    """Loses no marker."""
    return False


@dataclass(eq=False)
class Txn:
    """One transaction. `writer` is the process that produced it, for the laws; `producer` its transactional id."""

    writer: str
    producer: str | None = None
    state: Literal["open", "committed", "aborted"] = "open"
    places: set[Place] = field(default_factory=set)
    started_at: float = 0.0


class Entry(NamedTuple):
    """What lies at an offset; a marker has no record."""

    record: Record | None
    txn: Txn | None
    appended_at: float


class Fetch(NamedTuple):
    """What a fetch found: visible records from an offset on, the next offset, and the partition's ends."""

    records: list[Record]
    next_offset: int
    last_stable: int
    high_watermark: int


class Partition:
    """One partition's log; its offsets begin at 0 and its entries are never removed."""

    def __init__(self) -> None:
        self.log: list[Entry] = []
        self.open: dict[Txn, int] = {}
        """First offset of each transaction that is not decided."""

    @property
    def last_stable(self) -> int:
        """The offset of the first record of an open transaction, else the high watermark."""
        return min(self.open.values(), default=len(self.log))

    def fetch(self, offset: int, limit: int, *, committed: bool = True) -> Fetch:
        """Below the last stable offset, without aborted records, or all that is there; never markers."""
        stable, records = self.last_stable, list[Record]()
        end = stable if committed else len(self.log)
        while offset < end and len(records) < limit:
            record, txn, _ = self.log[offset]
            if record is not None and (not committed or txn is None or txn.state == "committed"):
                records.append(record)
            offset += 1
        return Fetch(records, offset, stable, len(self.log))


class Coordinator:
    """What Kafka knows of one transactional id."""

    def __init__(self) -> None:
        self.epoch = -1
        self.txn: Txn | None = None


class Broker:
    """One broker that never dies. All its work is done at once; who is slow is the network."""

    def __init__(self, loop: SimulatedLoop, wall: Callable[[], int]) -> None:
        self.loop = loop
        self.partitions: dict[Place, Partition] = defaultdict(Partition)
        self.coordinators: dict[str, Coordinator] = defaultdict(Coordinator)
        self._wall = wall
        self._hash = blake2b(digest_size=16)

    @property
    def digest(self) -> str:
        """A hash of all that was ever appended, and when."""
        return self._hash.hexdigest()

    def append(
        self, place: Place, key: bytes | None, value: bytes | None, headers: Headers, txn: Txn | None
    ) -> int:
        """Write a record; its offset."""
        partition = self.partitions[place]
        record = Record(*place, len(partition.log), key, value, headers, self._wall())
        if txn is not None:
            txn.places.add(place)
            partition.open.setdefault(txn, len(partition.log))
        return self._append(place, Entry(record, txn, self.loop.time()))

    def mark(
        self, txn: Txn, state: Literal["committed", "aborted"], lose: Callable[[Place], bool] = nothing
    ) -> None:
        """End a transaction: a marker in each of its partitions, for all that its producer left open there.

        Some of the markers may be lost: in those partitions the producer's next one decides.
        """
        for place in [each for each in sorted(txn.places) if lose(each)]:
            self._split(txn, place)
        txn.state = state
        for place in sorted(txn.places):
            partition = self.partitions[place]
            partition.open.pop(txn, None)
            for left in [each for each in partition.open if each.producer and each.producer == txn.producer]:
                left.state = state
                del partition.open[left]
            self._append(place, Entry(None, txn, self.loop.time()))

    def has_open(self, transactional_id: str) -> bool:
        """A producer of this id has begun a transaction and not ended it."""
        return self.coordinators[transactional_id].txn is not None

    def init(self, transactional_id: str, lose: Callable[[Place], bool] = nothing) -> int:
        """Fence earlier producers of the id and abort what they left open; the new epoch."""
        known = self.coordinators[transactional_id]
        if known.txn is not None:
            self.mark(known.txn, "aborted", lose)
            known.txn = None
        known.epoch += 1
        return known.epoch

    def begin(self, transactional_id: str, epoch: int, writer: str, timeout: float) -> Txn:
        """The transaction that is open, or a new one. Raises KafkaException if the producer is fenced."""
        known = self._checked(transactional_id, epoch)
        if known.txn is None:
            known.txn = Txn(writer, transactional_id, started_at=self.loop.time())
            self.loop.outside(timeout, self._time_out, transactional_id, known.txn)
        return known.txn

    def end(
        self,
        transactional_id: str,
        epoch: int,
        state: Literal["committed", "aborted"],
        lose: Callable[[Place], bool] = nothing,
    ) -> None:
        """Commit or abort. Raises KafkaException if the producer is fenced, or has nothing open."""
        known = self._checked(transactional_id, epoch)
        if known.txn is None:
            raise KafkaException(KafkaError(KafkaError.INVALID_TXN_STATE, "nothing to end"))
        ended, known.txn = known.txn, None
        self.mark(ended, state, lose)

    def read(self, *topics: str) -> list[Record]:
        """All that a read-committed consumer finds, partition by partition."""
        return [
            record
            for place in sorted(self.partitions)
            if place[0] in topics
            for record in self.partitions[place].fetch(0, 1 << 30).records
        ]

    def visible_behind(self, place: Place, offset: int, before: float) -> Iterable[Record]:
        """What was appended before then at or behind the offset, and is or may yet become visible."""
        for record, txn, appended_at in self.partitions[place].log[offset:]:
            if appended_at > before:
                break
            if record is not None and (txn is None or txn.state != "aborted"):
                yield record

    def _split(self, txn: Txn, place: Place) -> None:
        """What the transaction wrote there is undecided by itself from now on."""
        txn.places.remove(place)
        partition, part = self.partitions[place], Txn(txn.writer, txn.producer, places={place})
        if txn in partition.open:
            partition.open[part] = partition.open.pop(txn)
            partition.log = [
                entry._replace(txn=part) if entry.txn is txn else entry for entry in partition.log
            ]

    def _checked(self, transactional_id: str, epoch: int) -> Coordinator:
        known = self.coordinators[transactional_id]
        if known.epoch != epoch:
            raise KafkaException(KafkaError(KafkaError._FENCED, "a newer producer has this id", fatal=True))
        return known

    def _time_out(self, transactional_id: str, txn: Txn) -> None:
        """A transaction that is open for too long is aborted, and its producer fenced."""
        if self.coordinators[transactional_id].txn is txn:
            self.init(transactional_id)

    def _append(self, place: Place, entry: Entry) -> int:
        log = self.partitions[place].log
        log.append(entry)
        record = entry.record
        said = (place, len(log), entry.appended_at, record and (record.key, record.value))
        self._hash.update(repr(said).encode())
        return len(log) - 1
