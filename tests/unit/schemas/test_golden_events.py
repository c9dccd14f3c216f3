"""Every event type has a golden payload: it reads as its class, and the JSON Schema takes it too."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from schemas.decoding import Decoder
from schemas.documents import documents
from schemas.event import Event, type_of
from schemas.touchpoints import BUILT_IN
from schemas.touchpoints.touchpoint import Touchpoint

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "events"
EVENTS = [(touchpoint, kind) for touchpoint in BUILT_IN for kind in touchpoint.types]
IDS = [f"{touchpoint.name}/{kind}" for touchpoint, kind in EVENTS]


@pytest.mark.parametrize(("touchpoint", "kind"), EVENTS, ids=IDS)
def test_the_golden_payload_reads_as_its_class(touchpoint: Touchpoint, kind: str) -> None:
    value = (GOLDEN / touchpoint.name / f"{kind}.json").read_bytes()
    event = Decoder(touchpoint, 1 << 18).decode(b"c:100200", value)
    assert isinstance(event, Event)
    assert type_of(event) == kind
    assert type(event) in touchpoint.classes
    assert event.unknown_fields == 0
    assert Decoder(touchpoint, 1 << 18).decode(b"c:100200", event.to_json()) == event


@pytest.mark.parametrize(("touchpoint", "kind"), EVENTS, ids=IDS)
def test_the_golden_payload_is_valid_by_the_json_schema(touchpoint: Touchpoint, kind: str) -> None:
    schema = json.loads(documents(BUILT_IN)[f"{touchpoint.name}.json"])
    payload = json.loads((GOLDEN / touchpoint.name / f"{kind}.json").read_bytes())
    Draft202012Validator(schema).validate({**payload, "a_field_of_tomorrow": {"x": 1}})


@pytest.mark.parametrize("touchpoint", BUILT_IN, ids=lambda each: each.name)
def test_the_json_schema_refuses_a_missing_field(touchpoint: Touchpoint) -> None:
    schema = json.loads(documents(BUILT_IN)[f"{touchpoint.name}.json"])
    payload = json.loads((GOLDEN / touchpoint.name / f"{touchpoint.types[0]}.json").read_bytes())
    del payload["event_id"]
    assert not Draft202012Validator(schema).is_valid(payload)


def test_no_golden_payload_is_left_of_a_type_that_is_gone() -> None:
    known = {f"{touchpoint.name}/{kind}.json" for touchpoint, kind in EVENTS}
    found = {
        str(path.relative_to(GOLDEN)) for path in GOLDEN.glob("*/*.json") if path.parent.name != "segment"
    }
    assert found == known


def test_the_json_schemas_that_are_kept_are_current() -> None:
    kept = {
        path.name: path.read_text(encoding="utf-8") for path in (ROOT / "schemas" / "json").glob("*.json")
    }
    assert kept == documents(BUILT_IN), "run: pulpero contract schemas --write"
