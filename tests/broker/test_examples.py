"""A shop's own touchpoint and its own agents, each one file of deploy/examples, in a real worker."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from schemas import topics
from schemas.counts import DAY, count
from schemas.customer import Customer, unpack
from tests.broker.events import HOUR, MINUTE, START, added, event, key_of, placed
from tests.broker.reading import read, rows
from tests.broker.workers import ROOT, Deployment, await_true, deployed

TOPIC = "touchpoints.store_visits"
ENTERED, ADVISED, LEFT = START + 10 * MINUTE, START + 12 * MINUTE, START + 20 * MINUTE
BAD = {
    "truncated_json": b'{"event_id": "bad-1", "source": "till 3"',
    "missing_field": orjson.dumps(event("bad-2", "ana", "visit_started", LEFT)),
    "unknown_type": orjson.dumps(event("bad-3", "ana", "visit_dreamt", LEFT)),
}


class Seen(NamedTuple):
    """What was there when everything had been taken."""

    made: str
    notes: list[dict[str, Any]]
    row: Customer
    letters: list[dict[str, Any]]


def _notes(file: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []


def _await_note(file: Path, **facts: object) -> None:
    await_true(f"a note of {facts}", lambda: any(facts.items() <= each.items() for each in _notes(file)))


def _visit(shop: Deployment, event_id: str, customer: str, kind: str, at: int, **fields: Any) -> int:
    told = event(event_id, customer, kind, at, store_id="gran-via", **fields)
    return shop.send("store_visits", key_of(customer), told)


def _live_a_day(shop: Deployment, notes: Path) -> None:
    """Ana bought on the web and comes to the store; Luis left a cart on the web and comes two hours later."""
    shop.send("orders", key_of("ana"), placed("o1", "ana", START))
    shop.send("web", key_of("luis"), added("w1", "luis", START))
    shop.producer.flush()
    _await_note(notes, note="action", customer=key_of("ana"))
    _visit(shop, "v1", "ana", "visit_started", ENTERED)
    _visit(shop, "v2", "ana", "advice_given", ADVISED, product={"product_id": "p9"})
    for value in BAD.values():
        shop.send("store_visits", key_of("ana"), value)
    task = _visit(shop, "v3", "ana", "visit_ended", LEFT, spent=12.5)
    _visit(shop, "v4", "luis", "visit_started", START + 2 * HOUR)
    shop.producer.flush()
    shop.await_offsets({(TOPIC, task): len(BAD) + 3})
    _await_note(notes, note="visit", customer=key_of("luis"))
    _await_note(notes, note="silence")


@pytest.fixture(scope="module")
def seen(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    notes = tmp_path_factory.mktemp("shop") / "notes.jsonl"
    with deployed(kafka, partitions=2, time="events", idle_ms=0) as shop:
        environment = {
            "PYTHONPATH": f"{ROOT}:{ROOT / 'deploy' / 'examples'}",
            "PULPERO_TOUCHPOINTS": '["store_visits"]',
            "PULPERO_AGENTS": '["store_notes"]',
            "STORE_NOTES": str(notes),
        }
        command = [str(Path(sys.executable).with_name("pulpero")), "topics", "create"]
        made = subprocess.run(
            command, env=shop.environment(**environment), capture_output=True, text=True, check=True
        )
        worker = shop.start(**environment).await_ready()
        _live_a_day(shop, notes)
        assert worker.stop() == 0, worker.said
        newest = rows(read(kafka, shop.changelog))
        letters = [each.json for each in read(kafka, topics.DEAD_LETTERS)]
        yield Seen(made.stdout, _notes(notes), unpack(newest[key_of("ana").encode()]), letters)


def test_topics_create_makes_the_own_touchpoint_s_topic(seen: Seen) -> None:
    assert seen.made.splitlines() == [f"made {TOPIC}", "1 topics made"]


def test_own_events_are_activity_in_the_row(seen: Seen) -> None:
    assert (seen.row.last_seen, seen.row.last_event_id) == (LEFT, "v3")
    assert seen.row.sessions[-1].end == LEFT
    assert count(seen.row, "events", DAY, LEFT) == 4


def test_own_events_move_time_so_that_timers_fire(seen: Seen) -> None:
    silences = [each for each in seen.notes if each["note"] == "silence"]
    assert silences == [{"note": "silence", "customer": key_of("luis"), "what": "no_marketing_consent"}]


def test_the_own_agents_see_what_was_committed_and_read_the_row(seen: Seen) -> None:
    visits = [each for each in seen.notes if each["note"] == "visit"]
    assert {each["customer"]: each["orders"] for each in visits} == {key_of("ana"): 1, key_of("luis"): 0}
    assert {each["store"] for each in visits} == {"gran-via"}
    actions = [each for each in seen.notes if each["note"] == "action"]
    assert {each["customer"] for each in actions} == {key_of("ana")}


def test_bad_bytes_on_the_own_topic_are_dead_letters(seen: Seen) -> None:
    letters = {each["reason"]: each for each in seen.letters}
    assert set(letters) == set(BAD)
    assert {each["origin"]["topic"] for each in seen.letters} == {TOPIC}
    assert letters["missing_field"]["pointer"] == "/store_id"
    assert letters["truncated_json"]["source"] == "till 3"
