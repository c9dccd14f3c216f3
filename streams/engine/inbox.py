"""What waits to be merged: per input topic of one task, records as they came and records decoded."""

from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from schemas.dead_letter import DeadLetter
from schemas.event import Arrival, Millis

BEGINNING_OF_TIME = -(1 << 62)


UNREADABLE: tuple[tuple[str, bytes | None], ...] = (("pulpero-unreadable", None),)
"""Headers of the stand-in for a record whose own header names are not UTF-8."""


class RawRecord(msgspec.Struct, frozen=True, gc=False):
    """A record as Kafka gave it. `appended_at` in ms."""

    offset: int
    appended_at: Millis
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


class Refused(msgspec.Struct, frozen=True, gc=False):
    """A record that became a dead letter; it takes its place in the order right behind its predecessor."""

    at: Millis
    topic: str
    offset: int
    touchpoint: str
    letter: DeadLetter


class Tick(msgspec.Struct, frozen=True, gc=False):
    """An in-band `clock.advanced`: event time has reached `at`."""

    at: Millis
    topic: str
    offset: int


Item = Arrival | Refused | Tick


class Inbox:
    """One input topic of one task: what was fetched and not merged yet, and how far the fetcher has read.

    `position` is the fetcher's next offset, `last_stable` and `high_watermark` the partition's as of the fetch at
    `fetched_at` (wall ms). All are None until the first fetch after opening.
    """

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.raw: deque[RawRecord] = deque()
        self.raw_bytes = 0
        self.decoded: deque[Item] = deque()
        self.decoding = False
        self.position: int | None = None
        self.last_stable: int | None = None
        self.high_watermark: int | None = None
        self.fetched_at: Millis | None = None
        self.answered_at: Millis | None = None
        """When the newest answer was read. The fetch that it answers was sent at `fetched_at` or later."""
        self.promised: Millis = BEGINNING_OF_TIME
        """The latest `clock.advanced` taken from here: what follows it is later."""
        self.ended_at: Millis | None = None
        """Wall ms of the first fetch that saw it at its end while others had something to give."""

    def put(self, records: Sequence[RawRecord]) -> None:
        """Append what was fetched."""
        self.raw.extend(records)
        self.raw_bytes += _size(records)

    def take_raw(self, limit: int) -> list[RawRecord]:
        """Take up to `limit` fetched records to be decoded. The caller answers with `put_decoded`."""
        taken = [self.raw.popleft() for _ in range(min(limit, len(self.raw)))]
        self.raw_bytes = self.raw_bytes - _size(taken) if self.raw else 0
        self.decoding = bool(taken)
        return taken

    def put_decoded(self, items: Iterable[Item]) -> None:
        """Append what `take_raw` gave, decoded, in the same order."""
        self.decoded.extend(items)
        self.decoding = False

    @property
    def is_read_to_its_end(self) -> bool:
        """Nothing waits here and nothing readable waits in Kafka, as of the last fetch.

        Judged by the fetcher's position: transaction markers make offsets jump.
        """
        return (
            not self.decoded
            and not self.raw
            and not self.decoding
            and self.position is not None
            and self.last_stable is not None
            and self.position >= self.last_stable
        )

    def is_caught_up(self, since: Millis) -> bool:
        """Read to the *high watermark* of a fetch not older than `since`.

        The last stable offset would not do: a hung foreign transaction holds it back and hides what follows.
        """
        return (
            self.is_read_to_its_end
            and self.high_watermark is not None
            and self.position is not None
            and self.position >= self.high_watermark
            and self.fetched_at is not None
            and self.fetched_at >= since
        )


def _size(records: Sequence[RawRecord]) -> int:
    return 64 * len(records) + sum([len(each.value or b"") + len(each.key or b"") for each in records])
