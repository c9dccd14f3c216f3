"""What a stopped broker has on disk, without the markers of a task's last transaction: as if they were never written.

Kafka loses them when it decides a transaction while the partitions have no leader: it takes them for deleted
(TransactionMarkerChannelManager: "these partitions are likely deleted already and hence can be skipped").
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from struct import Struct
from typing import NamedTuple

_HEADER = Struct(">8xi9xh12xq")
"""Of a batch, format 2: length behind its first 12 bytes, attributes, greatest timestamp."""
_LENGTH_FROM = 12
_CONTROL = 0x20


class _Stored(NamedTuple):
    position: int
    is_marker: bool
    timestamp: int


def lose_last(data: Path, changelog: str, topics: Iterable[str], task: int) -> set[str]:
    """Cut the markers of the last transaction that wrote to the task's changelog, in those of the topics that had one.

    All logs are recovered at the next start.
    """
    marked = [each.timestamp for each in _stored(data, changelog, task) if each.is_marker]
    first, last = ([0, *marked])[-2:]
    cut = set()
    for topic in topics:
        *_, end = [_Stored(0, False, 0), *_stored(data, topic, task)]
        # The markers of one transaction are written at once, the last one's after those of the one before.
        if end.is_marker and abs(end.timestamp - last) < abs(end.timestamp - first):
            _cut(data / f"{topic}-{task}", end.position)
            cut.add(topic)
    for name in (".kafka_cleanshutdown", "recovery-point-offset-checkpoint"):
        (data / name).unlink(missing_ok=True)
    return cut


def _stored(data: Path, topic: str, task: int) -> Iterator[_Stored]:
    log, position = _log(data / f"{topic}-{task}").read_bytes(), 0
    while position + _HEADER.size <= len(log):
        length, attributes, timestamp = _HEADER.unpack_from(log, position)
        yield _Stored(position, bool(attributes & _CONTROL), timestamp)
        position += _LENGTH_FROM + length


def _cut(folder: Path, position: int) -> None:
    with _log(folder).open("r+b") as log:
        log.truncate(position)
    for derived in folder.iterdir():
        if derived.suffix in {".index", ".timeindex", ".snapshot"}:
            derived.unlink()


def _log(folder: Path) -> Path:
    (only,) = folder.glob("*.log")
    return only
