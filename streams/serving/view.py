"""The reading side of the serving view: a customer and what was decided, in one round trip each."""

from typing import cast

from redis.asyncio import Redis

from schemas.customer import Customer, unpack
from schemas.decision import Decision
from streams.serving.layout import Layout, identifiers


class View:
    """Reads what the projector wrote. Every method raises redis.RedisError while Redis does not answer."""

    def __init__(self, redis: Redis, app_id: str) -> None:
        self._redis = redis
        self._names = Layout(app_id)

    async def customer(self, key: str) -> Customer | None:
        """The customer of this key (`c:42`), or None."""
        packed = cast("bytes | None", await self._redis.get(self._names.row(key)))
        return None if packed is None else unpack(packed)

    async def find(self, identifier: str) -> Customer | None:
        """The customer known by this key or by another identifier in the form of a key (`l:77`, `a:9f…`)."""
        row = await self.customer(identifier)
        if row is not None:
            return row
        key = cast("bytes | None", await self._redis.get(self._names.pointer(identifier)))
        if key is None:
            return None
        row = await self.customer(key.decode())
        return row if row is not None and identifier in identifiers(row) else None

    async def decisions(self, key: str) -> list[Decision]:
        """The customer's newest decisions, newest first; at most layout.MAX_DECISIONS."""
        names = self._names.decisions(key)
        stored = cast("list[bytes]", await self._redis.zrevrange(names, 0, -1))
        return [Decision.from_json(each) for each in stored]
