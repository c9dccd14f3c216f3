"""What a stopped broker has on disk, without markers of a task's transaction: as if they were never written.

Kafka loses them when it decides a transaction while the partitions have no leader: it takes them for deleted
(TransactionMarkerChannelManager: "these partitions are likely deleted already and hence can be skipped").
"""

from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from struct import Struct
from typing import NamedTuple

_HEADER = Struct(">8xi9xh12xq")
"""Of a batch, format 2: length behind its first 12 bytes, attributes, greatest timestamp."""
_LENGTH_FROM = 12
_CONTROL = 0x20


class _Stored(NamedTuple):
    position: int
    end: int
    is_marker: bool
    timestamp: int


def lose_last(
    data: Path, changelog: str, said: str, topics: Iterable[str], task: int, spared: Container[str]
) -> set[str]:
    """Cut the markers of a task's last transaction that wrote to `said`, but in the spared topics, and what came after.

    Which of the topics it wrote to. All logs are recovered at the next start.
    """
    decided = _markers(data, changelog, task)
    last = _nearest(decided, _markers(data, said, task)[-1])
    written = set()
    for topic in topics:
        marked = _markers(data, topic, task)
        found = _nearest(marked, last) if marked else None
        # The markers of one transaction are written at once, the next one's after them.
        if found is not None and _nearest(decided, found) == last:
            written.add(topic)
            _cut(data / f"{topic}-{task}", found.end if topic in spared else found.position)
    for name in (".kafka_cleanshutdown", "recovery-point-offset-checkpoint"):
        (data / name).unlink(missing_ok=True)
    return written


def _nearest(markers: list[_Stored], to: _Stored) -> _Stored:
    return min(markers, key=lambda each: abs(each.timestamp - to.timestamp))


def _markers(data: Path, topic: str, task: int) -> list[_Stored]:
    return [each for each in _stored(data, topic, task) if each.is_marker]


def _stored(data: Path, topic: str, task: int) -> Iterator[_Stored]:
    log, position = _log(data / f"{topic}-{task}").read_bytes(), 0
    while position + _HEADER.size <= len(log):
        length, attributes, timestamp = _HEADER.unpack_from(log, position)
        end = position + _LENGTH_FROM + length
        yield _Stored(position, end, bool(attributes & _CONTROL), timestamp)
        position = end


def _cut(folder: Path, position: int) -> None:
    with _log(folder).open("r+b") as log:
        log.truncate(position)
    for derived in folder.iterdir():
        if derived.suffix in {".index", ".timeindex", ".snapshot"}:
            derived.unlink()


def _log(folder: Path) -> Path:
    (only,) = folder.glob("*.log")
    return only
