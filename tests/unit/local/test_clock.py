from datetime import UTC, datetime

import pytest

from schemas.clock import decode_clock, encode_clock, is_clock
from schemas.event import to_millis


def test_the_clock_says_the_moment_it_was_given() -> None:
    at = to_millis(datetime(2026, 11, 24, 9, 0, 0, 123_000, tzinfo=UTC))
    value, headers = encode_clock(at)
    assert decode_clock(value) == at
    assert is_clock(headers)
    assert is_clock(tuple(headers))


@pytest.mark.parametrize("headers", [None, [], [("pulpero", b"else")], [("ce_id", b"clock.advanced")]])
def test_any_other_record_is_no_clock(headers: list[tuple[str, bytes]] | None) -> None:
    assert not is_clock(headers)


@pytest.mark.parametrize(
    "value", [b"", b"{", b"{}", b'{"event_time": 5}', b'{"event_time": "2026-11-24T09:00:00"}']
)
def test_a_clock_without_a_certain_moment_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match=r"\$\.event_time|missing|truncated|malformed|object"):
        decode_clock(value)
