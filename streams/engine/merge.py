"""The order in which one task takes its input: event time over all touchpoints, and nobody overtakes."""

from collections.abc import Mapping

from schemas.event import Millis
from streams.engine.inbox import BEGINNING_OF_TIME, Inbox, Item


class Merge:
    """Merges the inboxes of one task: smallest event time first, ties by topic name, then by offset.

    It never passes a topic whose inbox is empty while more of it may be readable. A topic read to its end is
    waited for `idle_ms` at most. For a frozen log the order is a function of the log alone.
    """

    def __init__(self, topics: tuple[str, ...], idle_ms: int) -> None:
        self.inboxes: Mapping[str, Inbox] = {topic: Inbox(topic) for topic in sorted(topics)}
        self._ordered = tuple(self.inboxes.values())
        self._idle_seconds = idle_ms / 1000

    def take(self, limit: int, now: float) -> list[Item]:
        """Up to `limit` items that may be taken now. `now` is a monotonic time in seconds."""
        taken: list[Item] = []
        while len(taken) < limit:
            first, bound = self._two_smallest(now)
            if first is None:
                break
            _take_run(first, bound, limit, taken)
        return taken

    def waits_for(self, now: float) -> tuple[str, ...]:
        """The topics that hold up others that have something to give."""
        if not any(inbox.decoded for inbox in self._ordered):
            return ()
        return tuple(inbox.topic for inbox in self._ordered if self._must_wait_for(inbox, now))

    def idle_left(self, now: float) -> float | None:
        """Seconds until an idle topic stops holding up the others; None if no idle topic does."""
        if not any(inbox.decoded for inbox in self._ordered):
            return None
        left = [
            self._idle_seconds - (now - inbox.ended_at)
            for inbox in self._ordered
            if inbox.is_read_to_its_end and inbox.ended_at is not None
        ]
        return min((each for each in left if each > 0), default=None)

    @property
    def is_empty(self) -> bool:
        """Every topic is read to its end."""
        return all(inbox.is_read_to_its_end for inbox in self._ordered)

    def is_caught_up(self, since: Millis) -> bool:
        """Every topic is read to a high watermark fetched at or after `since`."""
        return all(inbox.is_caught_up(since) for inbox in self._ordered)

    @property
    def queued_bytes(self) -> int:
        """Bytes fetched and not decoded yet."""
        return sum(inbox.raw_bytes for inbox in self._ordered)

    def _must_wait_for(self, inbox: Inbox, now: float) -> bool:
        if inbox.decoded:
            inbox.ended_at = None
            return False
        if not inbox.is_read_to_its_end:
            inbox.ended_at = None
            return True
        if inbox.ended_at is None:
            inbox.ended_at = now
        return now - inbox.ended_at < self._idle_seconds

    def _two_smallest(self, now: float) -> tuple[Inbox | None, tuple[Millis, str] | None]:
        """The inbox to take from, and the next one's head, up to which it may be taken; (None, _) to wait."""
        waiting = False
        first: Inbox | None = None
        best: tuple[Millis, str] | None = None
        bound: tuple[Millis, str] | None = None
        for inbox in self._ordered:
            if self._must_wait_for(inbox, now):
                waiting = True
            if not inbox.decoded:
                continue
            head = (_time_of(inbox.decoded[0], inbox), inbox.topic)
            if best is None or head < best:
                first, best, bound = inbox, head, best
            elif bound is None or head < bound:
                bound = head
        return (None, None) if waiting else (first, bound)


def _take_run(inbox: Inbox, bound: tuple[Millis, str] | None, limit: int, taken: list[Item]) -> None:
    """Take from one inbox as long as its head stands before `bound`."""
    decoded = inbox.decoded
    while decoded and len(taken) < limit:
        at = _time_of(decoded[0], inbox)
        if bound is not None and (at, inbox.topic) > bound:
            break
        inbox.last_at = at
        taken.append(decoded.popleft())


def _time_of(item: Item, inbox: Inbox) -> Millis:
    """When the item stands in the order: a refused record, which has no time, right after its predecessor."""
    return inbox.last_at if item.at == BEGINNING_OF_TIME else item.at
