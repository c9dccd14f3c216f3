"""What cannot be taken becomes a dead letter with its reason, offsets move on, and the books balance."""

from base64 import b64decode
from collections import Counter
from typing import Any

import orjson
import pytest

from schemas.customer import unpack
from schemas.topics import DEAD_LETTERS
from streams.engine.partitions import partition_of
from tests.broker.events import HOUR, SECOND, START, event, placed, viewed
from tests.broker.reading import read, rows, task_rows
from tests.broker.workers import Worker, deployed

pytestmark = pytest.mark.broker

GOOD = viewed("good", "anna", START)
RAW = orjson.dumps(GOOD)


def like_good(without: str = "", **changed: Any) -> bytes:
    return orjson.dumps({name: value for name, value in (GOOD | changed).items() if name != without})


BAD: tuple[tuple[str, bytes | None, bytes | None], ...] = (
    ("truncated_json", b"c:anna", RAW[:-9]),
    ("malformed_json", b"c:anna", b'{"event_id": nonsense}'),
    ("not_an_object", b"c:anna", b"[1, 2]"),
    ("missing_field", b"c:anna", like_good(without="source")),
    ("wrong_type", b"c:anna", like_good(path=7)),
    ("unknown_type", b"c:anna", like_good(type="never_heard_of")),
    ("unknown_schema_version", b"c:anna", like_good(schema_version=99)),
    ("null_value", b"c:anna", None),
    ("bad_key", b"\xff\xfe", RAW),
    ("bad_key", None, RAW),
    ("no_identifier", b"c:anna", like_good(without="customer_id")),
    ("key_mismatch", b"c:berta", RAW),
    ("time_in_future", b"c:anna", like_good(event_time="2150-01-01T00:00:00Z")),
    ("too_large", b"c:anna", like_good(path="x" * 300_000)),
    ("truncated_json", b"c:anna", b""),
)


def test_every_kind_of_bad_record_is_kept_with_its_reason_and_the_next_one_is_taken(kafka: str) -> None:
    with deployed(kafka, time="events", idle_ms=20) as shop:
        task = partition_of(b"c:anna", shop.settings.partitions)
        for _, key, value in BAD:
            shop.send("web", key, value, partition=task)
        refund = event("r", "anna", "order_refunded", START, order_id="o", amount=0)
        nan = orjson.dumps(refund).replace(b'"amount":0', b'"amount":NaN')
        shop.send("orders", "c:anna", nan)
        shop.send("web", "c:anna", RAW)
        worker = shop.start().await_ready()
        shop.await_taken()

        letters = [record.json for record in read(kafka, DEAD_LETTERS)]
        of_web = [each for each in letters if each["origin"]["topic"] == "touchpoints.web"]
        assert [each["reason"] for each in of_web] == [reason for reason, *_ in BAD]
        assert [each["origin"]["offset"] for each in of_web] == list(range(len(BAD)))
        assert [_original(each) for each in of_web] == [value for *_, value in BAD]
        assert [each["reason"] for each in letters if each not in of_web] == ["non_finite_number"]
        changelog = read(kafka, shop.changelog)
        assert task_rows(changelog)[task].offsets["touchpoints.web"] == len(BAD) + 1
        assert rows(changelog).keys() == {b"c:anna"}
        assert unpack(rows(changelog)[b"c:anna"]).last_event_id == "good"
        _assert_balanced(worker, {"applied": 1, "dead": len(BAD) + 1})


def test_a_misplaced_record_is_a_dead_letter_and_its_customer_is_not_touched(kafka: str) -> None:
    with deployed(kafka, time="events", idle_ms=20) as shop:
        right = partition_of(b"c:anna", shop.settings.partitions)
        wrong = (right + 1) % shop.settings.partitions
        shop.send("web", "c:anna", viewed("misplaced", "anna", START), partition=wrong)
        shop.send("web", "c:anna", viewed("placed", "anna", START))
        worker = shop.start().await_ready()
        shop.await_taken()

        (letter,) = (record.json for record in read(kafka, DEAD_LETTERS))
        assert (letter["reason"], letter["source"], letter["event_id"]) == (
            "wrong_partition",
            "test",
            "misplaced",
        )
        assert letter["origin"]["partition"] == wrong
        assert f"partition {right} of {shop.settings.partitions}" in letter["message"]
        changelog = [record for record in read(kafka, shop.changelog) if record.key == b"c:anna"]
        assert {record.partition for record in changelog} == {right}
        assert unpack(rows(changelog)[b"c:anna"]).last_event_id == "placed"
        assert worker.metric("dead_total", source="test", reason="wrong_partition") == 1
        _assert_balanced(worker, {"applied": 1, "dead": 1})


def test_the_books_balance_by_touchpoint_and_source(kafka: str) -> None:
    with deployed(kafka, time="events", idle_ms=20) as shop:
        shop.send("web", "c:anna", viewed("e1", "anna", START))
        shop.send("web", "c:anna", viewed("e1", "anna", START))
        shop.send("web", "c:anna", viewed("e2", "anna", START + 2 * HOUR))
        shop.send("web", "c:anna", viewed("late", "anna", START + HOUR - SECOND))
        shop.send("web", "c:anna", viewed("e3", "anna", START + HOUR))
        shop.send("web", "c:anna", b"nonsense")
        shop.send("orders", "c:anna", placed("o1", "anna", START + 2 * HOUR))
        worker = shop.start().await_ready()
        shop.await_taken()

        _assert_balanced(worker, {"applied": 4, "duplicate": 1, "late": 1, "dead": 1})
        letters = Counter(record.json["reason"] for record in read(kafka, DEAD_LETTERS))
        assert letters == {"late": 1, "malformed_json": 1}


def _original(letter: dict[str, Any]) -> bytes | None:
    return None if letter["value"] is None else b64decode(letter["value"])


def _assert_balanced(worker: Worker, verdicts: dict[str, int]) -> None:
    """consumed = applied + duplicate + late + dead, for each feed, and in all these numbers."""
    names = ("applied", "duplicate", "late", "dead")
    found = {name: worker.metric(f"{name}_total") for name in names}
    assert found == dict.fromkeys(names, 0) | verdicts
    for touchpoint in ("web", "orders"):
        for source in ("test", "unknown"):
            feed = {"touchpoint": touchpoint, "source": source}
            of_feed = sum(worker.metric(f"{name}_total", **feed) for name in names)
            assert worker.metric("consumed_total", **feed) == of_feed
    assert worker.metric("consumed_total") == sum(verdicts.values())
