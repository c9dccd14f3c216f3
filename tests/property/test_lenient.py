"""A contract has two readers, the plain one and the lenient one: what both take, they read alike."""

import json
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.decoding import Decoder
from schemas.lenient import lenient, plain
from schemas.rejection import Rejected
from schemas.touchpoints import BUILT_IN
from schemas.touchpoints.touchpoint import Touchpoint

GOLDEN = Path(__file__).parents[1] / "golden" / "events"
PAYLOADS = [
    (touchpoint, json.loads(path.read_bytes()))
    for touchpoint in BUILT_IN
    for path in sorted((GOLDEN / touchpoint.name).glob("*.json"))
]
LENIENT = {each.name: lenient(each.event) for each in BUILT_IN}
DECODERS = {each.name: Decoder(each, 1 << 16) for each in BUILT_IN}

texts = st.sampled_from(
    [
        "",
        " ",
        "1",
        "12.5",
        "true",
        "EUR",
        "eur",
        "EUR\n",
        "a" * 64,
        "a" * 64 + "\n",
        "b" * 129,
        "1e400",
        "0x10",
    ]
)
moments = st.sampled_from(
    [
        "2026-03-02T10:15:30Z",
        "2026-03-02 10:15:30.123456+05:30",
        "2026-03-02T10:15:30",
        "2026-03-02T24:00:00Z",
        "2026-03-02T23:59:60Z",
        "2026-02-29T00:00:00Z",
        "1969-12-31T23:59:59.999999Z",
        "2200-01-01T00:00:00Z",
        "2200-01-01T00:30:00+01:00",
        "9999-12-31T23:59:59-10:00",
        "2026-03-02t10:15:30z",
        "2026-03-02",
        "1772446530",
    ]
)
scalars = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=9)
values = st.recursive(
    scalars | texts | moments,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)


@st.composite
def bent(draw: st.DrawFn) -> tuple[Touchpoint, bytes]:
    """A golden payload with one member, at any depth, exchanged for anything."""
    touchpoint, payload = draw(st.sampled_from(PAYLOADS))
    whole = json.loads(json.dumps(payload))
    holders = [whole, *(each for each in whole.values() if isinstance(each, dict) and each)]
    holders += [line for each in whole.values() if isinstance(each, list) for line in each]
    holder = draw(st.sampled_from(holders))
    holder[draw(st.sampled_from(sorted(holder)))] = draw(values)
    return touchpoint, json.dumps(whole).encode()


def _leniently(touchpoint: Touchpoint, value: bytes) -> Any:
    try:
        return LENIENT[touchpoint.name].validate_json(value)
    except ValidationError:
        return None


@given(bent())
@example((BUILT_IN[0], json.dumps(PAYLOADS[0][1] | {"event_time": "2200-01-01T00:00:00.000001Z"}).encode()))
def test_what_the_plain_reader_takes_the_lenient_one_reads_alike(drawn: tuple[Touchpoint, bytes]) -> None:
    touchpoint, value = drawn
    try:
        event = msgspec.json.decode(value, type=touchpoint.event)
    except msgspec.MsgspecError:
        return
    meant = _leniently(touchpoint, value)
    assert meant is not None, value
    said, unknown = plain(meant)
    assert unknown == 0
    assert msgspec.json.decode(said, type=touchpoint.event) == event


@given(bent())
def test_whatever_either_reader_takes_is_an_event(drawn: tuple[Touchpoint, bytes]) -> None:
    touchpoint, value = drawn
    read = DECODERS[touchpoint.name].read(value)
    meant = _leniently(touchpoint, value)
    if meant is None:
        assert isinstance(read, Rejected)
        return
    # An integer beyond 64 bits is the one thing that can be meant and not be said plainly.
    beyond = any(isinstance(each, int) and abs(each) >= 1 << 63 for each in meant.model_dump().values())
    if not beyond and isinstance(read, Rejected):
        assert read.reason in ("no_identifier", "unknown_schema_version"), read
