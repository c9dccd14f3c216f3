"""One Faust agent a touchpoint: bytes become events, or dead letters that say why."""

from typing import Any

import msgspec

from schemas.clock import decode_clock, is_clock
from schemas.dead_letter import DeadLetter, Origin
from schemas.decoding import Decoder
from schemas.event import Arrival, Millis, happened_at
from schemas.receipt import received_at
from schemas.rejection import Rejected
from schemas.touchpoints.touchpoint import Touchpoint
from streams.clock import wall_millis
from streams.engine.inbox import BEGINNING_OF_TIME, UNREADABLE, Item, RawRecord, Refused, Tick
from streams.engine.work import Culprit, Fetched, fail


class TouchpointReader:
    """Decodes one touchpoint's records. `max_ahead_ms` is how far an event may be ahead of the wall clock."""

    def __init__(
        self,
        touchpoint: Touchpoint,
        max_bytes: int,
        max_ahead_ms: Millis,
        accepts_clock: bool,
    ) -> None:
        self._touchpoint = touchpoint
        self._decoder = Decoder(touchpoint, max_bytes)
        self._max_ahead = max_ahead_ms
        self._accepts_clock = accepts_clock

    def read(self, fetched: Fetched) -> list[Item]:
        """The records as items, one each, in order. Raises Culprit where the decoder itself breaks."""
        latest = wall_millis() + self._max_ahead
        items: list[Item] = []
        for record in fetched.records:
            try:
                items.append(self._read_one(fetched, record, latest))
            except Exception as broken:
                at = (fetched.topic, record.offset)
                if at not in fetched.poison:
                    raise Culprit(at) from broken
                items.append(self._refuse(fetched, record, Rejected("poison", "", _POISON, None, None)))
        return items

    def _read_one(self, fetched: Fetched, record: RawRecord, latest: Millis) -> Item:
        if record.headers is UNREADABLE:
            return self._refuse(fetched, record, Rejected("malformed_json", "", _HEADERS, None, None))
        if record.headers and is_clock(record.headers):
            return self._read_clock(fetched, record, latest)
        event = self._decoder.decode(record.key, record.value)
        if isinstance(event, Rejected):
            return self._refuse(fetched, record, event)
        received = received_at(record.headers, record.appended_at) if record.headers else record.appended_at
        at = happened_at(event, received)
        if at > latest:
            rejected = Rejected("time_in_future", "/event_time", _FUTURE, event.source, event.event_id)
            return self._refuse(fetched, record, rejected)
        assert record.key is not None, "the decoder lets no record without a key pass"
        assert record.value is not None, "the decoder lets no record without a value pass"
        return Arrival(
            event,
            at,
            self._touchpoint.name,
            fetched.topic,
            record.offset,
            record.key,
            record.appended_at,
            record.value,
        )

    def _read_clock(self, fetched: Fetched, record: RawRecord, latest: Millis) -> Item:
        """A live deployment refuses clock records: its time is the wall's, and anybody could write one."""
        if not self._accepts_clock:
            return self._refuse(fetched, record, Rejected("unknown_type", "", _NO_CLOCK, None, None))
        try:
            at = decode_clock(record.value or b"")
        except (ValueError, msgspec.MsgspecError, RecursionError) as invalid:
            return self._refuse(
                fetched, record, Rejected("invalid_value", "", f"clock: {invalid}", None, None)
            )
        return Tick(min(at, latest), fetched.topic, record.offset)

    def _refuse(self, fetched: Fetched, record: RawRecord, rejected: Rejected) -> Refused:
        letter = DeadLetter(
            origin=Origin(
                topic=fetched.topic,
                partition=fetched.task,
                offset=record.offset,
                appended_at=record.appended_at,
            ),
            source=rejected.source,
            event_id=rejected.event_id,
            reason=rejected.reason,
            pointer=rejected.pointer,
            message=rejected.message,
            key=record.key,
            value=record.value,
        )
        return Refused(BEGINNING_OF_TIME, fetched.topic, record.offset, self._touchpoint.name, letter)


_HEADERS = "its header names are not UTF-8; the record stands at its origin"
_NO_CLOCK = "clock.advanced records move time only where the deployment's time is `events`"
_POISON = "decoding it failed twice through a fault of this program"
_FUTURE = "the event is further ahead of the clock than the policy's time.max_ahead allows"


def register(app: Any, channel: Any, reader: TouchpointReader, name: str) -> None:
    """Attach the agent of one touchpoint to the app. It answers every `Fetched`, always."""

    @app.agent(channel, name=f"touchpoint-{name}")  # type: ignore[untyped-decorator]
    async def touchpoint(stream: Any) -> None:
        async for fetched in stream:
            try:
                fetched.answer.set_result(reader.read(fetched))
            except Exception as broken:
                fail(fetched, broken)
