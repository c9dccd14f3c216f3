"""The order in which one task takes its input: event time over all touchpoints, and nobody overtakes."""

from collections.abc import Mapping

from schemas.event import Millis
from streams.engine.inbox import BEGINNING_OF_TIME, Inbox, Item, Tick

_Head = tuple[Millis, str]
_LAST_TOPIC = "\U0010ffff"
"""After every topic's name."""


class Merge:
    """Merges the inboxes of one task: smallest event time first, ties by topic name, then by offset.

    It never passes a topic whose inbox is empty while more of it may be readable. A topic read to its end is
    waited for `idle_ms` at most, from when it holds somebody up, and up to the time of its last
    `clock.advanced` not at all. For a frozen log the order is a function of the log alone. A refused record,
    which has no time (BEGINNING_OF_TIME), follows its predecessor at once.
    """

    def __init__(self, topics: tuple[str, ...], idle_ms: int) -> None:
        self.inboxes: Mapping[str, Inbox] = {topic: Inbox(topic) for topic in sorted(topics)}
        self._ordered = tuple(self.inboxes.values())
        self._idle_ms = idle_ms
        self._fresh_since = BEGINNING_OF_TIME

    def take(self, limit: int, fresh_since: Millis = BEGINNING_OF_TIME) -> list[Item]:
        """Up to `limit` items that may be taken now. An end that no fetch since `fresh_since` saw is none."""
        self._fresh_since = fresh_since
        taken: list[Item] = []
        if self.is_waiting_for_input:
            for inbox in self._ordered:
                inbox.ended_at = None
            return taken
        while len(taken) < limit:
            first, bound = self._two_smallest()
            if first is None:
                break
            _take_run(first, bound, limit, taken)
        return taken

    def waits_for(self) -> tuple[str, ...]:
        """The topics that hold up others that have something to give."""
        if self.is_waiting_for_input:
            return ()
        return tuple(inbox.topic for inbox in self._ordered if self._must_wait_for(inbox))

    @property
    def is_waiting_for_input(self) -> bool:
        """Nothing is decoded: nobody is held up."""
        return not any(inbox.decoded for inbox in self._ordered)

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

    def _must_wait_for(self, inbox: Inbox) -> bool:
        """Idle time is what the fetches saw: a worker too busy to fetch has not seen anybody idle."""
        if inbox.decoded:
            inbox.ended_at = None
            return False
        if not inbox.is_read_to_its_end or inbox.fetched_at is None:
            inbox.ended_at = None
            return True
        if inbox.ended_at is None:
            inbox.ended_at = inbox.fetched_at
        return inbox.fetched_at < self._fresh_since or inbox.fetched_at - inbox.ended_at < self._idle_ms

    def _two_smallest(self) -> tuple[Inbox | None, _Head | None]:
        """The inbox to take from, and the head up to which it may be taken; (None, _) to wait."""
        first: Inbox | None = None
        best: _Head | None = None
        bound: _Head | None = None
        for inbox in self._ordered:
            if not inbox.decoded:
                continue
            head = (inbox.decoded[0].at, inbox.topic)
            if best is None or head < best:
                first, best, bound = inbox, head, best
            elif bound is None or head < bound:
                bound = head
        if best is None:
            return None, None
        waiting = False
        for inbox in self._ordered:
            if inbox.promised >= best[0] and inbox.is_read_to_its_end:
                promise = (inbox.promised, _LAST_TOPIC)
                bound = promise if bound is None else min(bound, promise)
            elif self._must_wait_for(inbox):
                waiting = True
        return (None, None) if waiting else (first, bound)


def _take_run(inbox: Inbox, bound: _Head | None, limit: int, taken: list[Item]) -> None:
    """Take from one inbox as long as its head stands before `bound`."""
    decoded = inbox.decoded
    while decoded and len(taken) < limit:
        if bound is not None and (decoded[0].at, inbox.topic) > bound:
            break
        item = decoded.popleft()
        if isinstance(item, Tick) and item.at > inbox.promised:
            inbox.promised = item.at
        taken.append(item)
