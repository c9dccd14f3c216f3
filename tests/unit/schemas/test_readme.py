"""The README's examples of events are golden payloads, word for word."""

import json
import re
from pathlib import Path

import pytest

from schemas.touchpoints import BUILT_IN
from schemas.touchpoints.touchpoint import Touchpoint

ROOT = Path(__file__).parents[3]
ROWS = {
    name: (key, json.loads(payload))
    for name, key, payload in re.findall(
        r"^\| `(\w+)` \| `([^`]+)` \| `(\{[^`]+\})` \|", (ROOT / "README.md").read_text(), re.MULTILINE
    )
}


@pytest.mark.parametrize("touchpoint", BUILT_IN, ids=lambda each: each.name)
def test_the_readme_shows_a_golden_payload_and_its_key(touchpoint: Touchpoint) -> None:
    key, payload = ROWS[touchpoint.name]
    golden = ROOT / "tests" / "golden" / "events" / touchpoint.name / f"{payload['type']}.json"
    assert payload == json.loads(golden.read_text())
    assert key == f"c:{payload['customer_id']}"
