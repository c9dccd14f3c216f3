"""Steps 1 to 3 of a batch's way: what was fetched for one task is decoded and merged, and waited for."""

import asyncio
import contextlib
from asyncio import Future
from collections import deque
from collections.abc import Mapping

from schemas.dead_letter import ReasonCode
from schemas.event import Millis
from streams.engine.batch import RecordId, TimerId
from streams.engine.inbox import Inbox, Item
from streams.engine.merge import Merge
from streams.engine.work import Channel, Fetched

DECODE_CHUNK = 1_000
TICK_SECONDS = 0.2
HELD_UP_SECONDS = 0.02


class Intake:
    """The input of one task. `wake` is called by whoever has something new for it."""

    def __init__(self, task: int, decoders: Mapping[str, Channel], idle_ms: Millis) -> None:
        self._task = task
        self._decoders = decoders
        self._idle_ms = idle_ms
        self._woken = asyncio.Event()
        self.wake = self._woken.set
        self.merge = self._new_merge()

    def reset(self) -> None:
        """Throw away what was fetched and not taken: the task opens again."""
        self.merge = self._new_merge()

    async def take(
        self, limit: int, poison: Mapping[RecordId | TimerId, ReasonCode], fresh_since: Millis
    ) -> list[Item]:
        """Up to `limit` items that may be taken now, possibly none. Raises what the decoding agents answer.

        A topic's end counts only if a fetch at or after `fresh_since`, wall ms, saw it.
        """
        items: list[Item] = []
        while True:
            await self._decode(frozenset(poison))
            items += self.merge.take(limit - len(items), fresh_since)
            if len(items) == limit or not any(map(_wants_decoding, self.merge.inboxes.values())):
                return items

    def put_back(self, items: list[Item]) -> None:
        """These were taken last, and are taken next."""
        for item in reversed(items):
            self.merge.inboxes[item.topic].decoded.appendleft(item)

    @property
    def is_held_up(self) -> bool:
        """Something could be taken, were it not for a topic whose records have not come."""
        return any(not self.merge.inboxes[topic].is_read_to_its_end for topic in self.merge.waits_for())

    async def wait(self) -> None:
        """Until something is new, or for a moment."""
        self._woken.clear()
        timeout = HELD_UP_SECONDS if self.merge.waits_for() else TICK_SECONDS
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), timeout)

    async def _decode(self, poison: frozenset[RecordId | TimerId]) -> None:
        """Let the touchpoints' agents decode what the merge will need next."""
        loop = asyncio.get_running_loop()
        asked: deque[tuple[Inbox, Future[list[Item]]]] = deque()
        for topic, inbox in self.merge.inboxes.items():
            if _wants_decoding(inbox):
                records = inbox.take_raw(DECODE_CHUNK)
                fetched = Fetched(topic, self._task, records, poison, loop.create_future())
                asked.append((inbox, fetched.answer))
                await self._decoders[topic].send(value=fetched)
        while asked:
            await _put_decoded(*asked.popleft())

    def _new_merge(self) -> Merge:
        return Merge(tuple(self._decoders), self._idle_ms)


async def _put_decoded(inbox: Inbox, answer: Future[list[Item]]) -> None:
    try:
        inbox.put_decoded(await answer)
    finally:
        # As streams.engine.work.ask does; here all are asked before one is waited for.
        del answer


def _wants_decoding(inbox: Inbox) -> bool:
    return bool(inbox.raw) and not inbox.decoded
