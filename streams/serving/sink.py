"""The writing side of the serving view: data and progress in one Redis transaction, one writer at a time."""

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import WatchError

from schemas.customer import unpack
from schemas.event import Millis
from streams.serving.layout import MAX_DECISIONS, Layout, identifiers

_SCAN_COUNT = 1_000
_DROP_POINTER = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"
_TOPIC_ID = "id:"


class ProgressMovedError(Exception):
    """The progress in Redis is not what this process left there: it is gone, or another process wrote it."""

    def __init__(self, *, is_gone: bool) -> None:
        super().__init__("gone" if is_gone else "written by another process")
        self.is_gone = is_gone


@dataclass(slots=True)
class Progress:
    """What Redis knows of itself: the next `offsets` by (topic, partition), and the topics' ids."""

    stamp: str
    written_at: Millis
    offsets: dict[tuple[str, int], int]
    topic_ids: dict[str, str]


@dataclass(slots=True)
class Changes:
    """The newest row of every changed customer (None: forget), and new decisions with their offsets."""

    rows: dict[str, bytes | None] = field(default_factory=dict)
    decisions: defaultdict[str, dict[bytes, int]] = field(default_factory=lambda: defaultdict(dict))

    def __bool__(self) -> bool:
        return bool(self.rows or self.decisions)


class Sink:
    """One writer of the view. Every method raises redis.RedisError while Redis does not answer."""

    def __init__(self, redis: Redis, app_id: str) -> None:
        self._redis = redis
        self._names = Layout(app_id)
        self._writer = uuid4().hex[:12]
        self._writes = 0
        self._stamp: str | None = None

    async def progress(self) -> Progress | None:
        """What stands in Redis, None for an empty one; later writes are refused if it changes meanwhile."""
        fields = cast("dict[bytes, bytes]", await self._redis.hgetall(self._names.progress))
        stored = {name.decode(): value.decode() for name, value in fields.items()}
        self._stamp = stored.pop("stamp", None)
        if self._stamp is None:
            return None
        written_at = int(stored.pop("written_at"))
        topic_ids = {n.removeprefix(_TOPIC_ID): v for n, v in stored.items() if n.startswith(_TOPIC_ID)}
        offsets = {_partition(n): int(v) for n, v in stored.items() if not n.startswith(_TOPIC_ID)}
        return Progress(self._stamp, written_at, offsets, topic_ids)

    async def verify(self) -> None:
        """Raise ProgressMovedError unless the progress is as this process left it."""
        await self._check(await self._redis.hget(self._names.progress, "stamp"))

    async def begin(self, offsets: Mapping[tuple[str, int], int], topic_ids: Mapping[str, str]) -> None:
        """Empty the view and note where it starts. Progress goes first: killed midway, it begins again."""
        await self._redis.delete(self._names.progress)
        for pattern in self._names.patterns:
            found = [name async for name in self._redis.scan_iter(pattern, count=_SCAN_COUNT)]
            for start in range(0, len(found), _SCAN_COUNT):
                await self._redis.unlink(*found[start : start + _SCAN_COUNT])
        self._stamp = None
        await self.write(Changes(), offsets, topic_ids)

    async def write(
        self,
        changes: Changes,
        offsets: Mapping[tuple[str, int], int],
        topic_ids: Mapping[str, str] | None = None,
    ) -> None:
        """Write everything or nothing. Raises ProgressMovedError if somebody else touched the progress."""
        stamp = f"{self._writer}:{self._writes + 1}"
        async with self._redis.pipeline(transaction=True) as pipe:
            await pipe.watch(self._names.progress)
            await self._check(await pipe.hget(self._names.progress, "stamp"))
            before = await self._identifiers_before(pipe, changes)
            pipe.multi()  # type: ignore[no-untyped-call]
            self._put_rows(pipe, changes.rows, before)
            for key, decisions in changes.decisions.items():
                if changes.rows.get(key, b"") is not None:
                    pipe.zadd(self._names.decisions(key), dict(decisions))
                    pipe.zremrangebyrank(self._names.decisions(key), 0, -MAX_DECISIONS - 1)
            fields: dict[Any, Any] = {f"{topic}/{n}": at for (topic, n), at in offsets.items()}
            fields |= {_TOPIC_ID + topic: topic_id for topic, topic_id in (topic_ids or {}).items()}
            fields |= {"stamp": stamp, "written_at": int(time.time() * 1000)}
            pipe.hset(self._names.progress, mapping=fields)
            try:
                await pipe.execute()
            except WatchError as error:
                raise ProgressMovedError(is_gone=False) from error
        self._stamp = stamp
        self._writes += 1

    async def _check(self, stamp: bytes | str | None) -> None:
        if (stamp.decode() if isinstance(stamp, bytes) else stamp) != self._stamp:
            raise ProgressMovedError(is_gone=stamp is None)

    async def _identifiers_before(self, pipe: Pipeline, changes: Changes) -> dict[str, frozenset[str]]:
        if not changes.rows:
            return {}
        names = [self._names.row(key) for key in changes.rows]
        rows = cast("list[bytes | None]", await pipe.mget(names))
        return {
            key: identifiers(unpack(packed))
            for key, packed in zip(changes.rows, rows, strict=True)
            if packed is not None
        }

    def _put_rows(
        self, pipe: Pipeline, rows: Mapping[str, bytes | None], before: Mapping[str, frozenset[str]]
    ) -> None:
        """The rows and their pointers in one MSET: a command a row would cost more than all the rest."""
        put: dict[Any, Any] = {}
        forgotten: list[str] = []
        for key, packed in rows.items():
            now: frozenset[str] = frozenset()
            then = before.get(key, now)
            if packed is None:
                forgotten += (self._names.row(key), self._names.decisions(key))
            else:
                put[self._names.row(key)] = packed
                now = identifiers(unpack(packed))
            for identifier in sorted(now - then):
                put[self._names.pointer(identifier)] = key
            for identifier in sorted(then - now):
                pipe.eval(_DROP_POINTER, 1, self._names.pointer(identifier), key)
        if put:
            pipe.mset(put)
        if forgotten:
            pipe.delete(*forgotten)


def _partition(name: str) -> tuple[str, int]:
    topic, _, number = name.rpartition("/")
    return topic, int(number)
