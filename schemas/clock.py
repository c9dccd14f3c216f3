"""The in-band record `clock.advanced`: event time has come this far, though no event says so.

A replay writes it to every partition of every touchpoint topic, so that the last timers fire too.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Annotated

import msgspec

from schemas.action import moment
from schemas.event import Millis, check_moment, to_millis

_HEADER = ("pulpero", b"clock.advanced")


class _Advanced(msgspec.Struct):
    event_time: Annotated[datetime, msgspec.Meta(tz=True)]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Advanced).decode


def encode_clock(at: Millis) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Value and headers of the record that says `at`; it has no key."""
    return _encode(_Advanced(moment(at))), [_HEADER]


def is_clock(headers: Collection[tuple[str, bytes | None]] | None) -> bool:
    """Whether a record with these headers is `clock.advanced`."""
    return headers is not None and _HEADER in headers


def decode_clock(value: bytes) -> Millis:
    """The moment that a `clock.advanced` record says. Raises ValueError for anything else."""
    event_time = _decode(value).event_time
    check_moment(event_time)
    return to_millis(event_time)
