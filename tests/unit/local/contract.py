"""Laws that every source of events keeps."""

from collections.abc import Sequence
from itertools import pairwise

import orjson

from schemas.decoding import Decoder
from schemas.event import Event, happened_at
from schemas.touchpoints import BUILT_IN
from streams.local.replayed import Replayed

_DECODERS = {each.name: Decoder(each, max_bytes=262_144) for each in BUILT_IN}


def assert_valid(events: Sequence[Replayed]) -> None:
    """Every event is of the contract, knows its time and key, in time order, under an id of its own."""
    for event in events:
        decoded = _DECODERS[event.touchpoint].decode(event.key.encode(), orjson.dumps(event.payload))
        assert isinstance(decoded, Event), (event, decoded)
        assert decoded.unknown_fields == 0, event
        assert happened_at(decoded, received_at=0) == event.at, event
    for before, after in pairwise(events):
        assert before.at <= after.at, (before, after)
    assert len({event.payload["event_id"] for event in events}) == len(events)
