import msgspec
import pytest

from schemas.customer import Customer, pack
from schemas.dead_letter import DeadLetter, Origin
from schemas.event import Arrival
from schemas.touchpoints.web import WebCustom
from streams.engine.batch import Batch, RowTooLarge
from streams.engine.outputs import MAX_ORIGINAL_BYTES, Outputs, dead_letter
from streams.engine.task_row import TASK_ROW_KEY, TaskRow, unpack_task_row
from streams.engine.work import Culprit


def _letter(value: bytes | None) -> DeadLetter:
    return DeadLetter(
        origin=Origin(topic="touchpoints.web", partition=0, offset=7, appended_at=1),
        source="shop",
        event_id=None,
        reason="truncated_json",
        message="it ends too early",
        key=b"c:1",
        value=value,
    )


def test_a_dead_letter_keeps_the_original_bytes_without_the_address() -> None:
    record = dead_letter(_letter(b'{"context": {"ip": "203.0.113.77"}, "event_id": "x'))
    kept = DeadLetter.from_json(record.value or b"")
    assert kept.value == b'{"context": {"ip": "203.0.113.0"}, "event_id": "x'
    assert record.headers == [("reason", b"truncated_json"), ("source", b"shop")]


def test_an_overlong_original_is_cut_so_that_its_letter_fits_into_a_record() -> None:
    record = dead_letter(_letter(b"x" * 1_000_000))
    assert record.value is not None
    assert len(record.value) < 1_000_000
    kept = DeadLetter.from_json(record.value)
    assert kept.value == b"x" * MAX_ORIGINAL_BYTES
    assert "stands at its origin" in kept.message


def test_the_task_row_is_the_last_record_of_every_batch() -> None:
    batch = Batch([], letters=[_letter(None)])
    rows = {b"c:1": pack(Customer("c:1"))}
    records = list(Outputs("log", 1_000).records(batch, rows, {"task": 1}, TaskRow(offsets={"t": 3})))
    assert [record.topic for record in records] == ["dead-letters", "log", "journal", "log"]
    assert records[-1].key == TASK_ROW_KEY
    assert unpack_task_row(records[-1].value or b"").offsets == {"t": 3}


def test_a_row_over_the_limit_names_its_customer() -> None:
    batch = Batch([], rows={b"c:1": Customer("c:1")})
    with pytest.raises(RowTooLarge) as caught:
        Outputs("log", 10).pack(batch)
    assert (caught.value.key, caught.value.limit) == (b"c:1", 10)


def test_a_row_that_cannot_be_packed_names_what_touched_it_last() -> None:
    event = msgspec.convert(
        {
            "event_id": "e",
            "type": "custom",
            "name": "n",
            "event_time": "2026-01-01T00:00:00Z",
            "customer_id": "1",
            "source": "s",
        },
        WebCustom,
    )
    arrivals = [Arrival(event, 1, "web", "touchpoints.web", offset, b"c:1", 1) for offset in (4, 5)]
    row = Customer("c:1", first_seen=1 << 70)  # no 64-bit integer
    batch = Batch([], applied=arrivals, rows={b"c:1": row})
    with pytest.raises(Culprit) as caught:
        Outputs("log", 10_000).pack(batch)
    assert (caught.value.at, caught.value.reason) == (("touchpoints.web", 5), "poison")
    batch.applied.clear()
    batch.rung[b"c:1"] = "churn_risk:silence"
    with pytest.raises(Culprit) as caught:
        Outputs("log", 10_000).pack(batch)
    assert caught.value.at == (b"c:1", "churn_risk:silence")


def test_a_letter_fits_into_a_record_whatever_its_key_and_however_its_value_grows() -> None:
    hostile = _letter(b'{"lat":[' + b"1," * 230_000 + b"1]}").replace(key=b"k" * 760_000)
    record = dead_letter(hostile)
    assert len(record.value or b"") + len(record.key or b"") < 900_000
