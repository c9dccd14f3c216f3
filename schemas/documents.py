"""The contracts as JSON Schemas, for those who write or read our topics in another language."""

import json
from typing import Any

from schemas.action import Outgoing
from schemas.dead_letter import DeadLetter
from schemas.decision import Decision
from schemas.lenient import lenient
from schemas.touchpoints.touchpoint import Touchpoint

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def documents(touchpoints: tuple[Touchpoint, ...]) -> dict[str, str]:
    """File name → JSON Schema: one a touchpoint, and `action`, `decision` and `dead_letter`."""
    contracts: dict[str, Any] = {each.name: each.event for each in touchpoints}
    contracts |= {"action": Outgoing, "decision": Decision, "dead_letter": DeadLetter}
    return {f"{name}.json": _document(name, contract) for name, contract in contracts.items()}


def _document(name: str, contract: Any) -> str:
    schema = {"$schema": _DIALECT, "title": name, **lenient(contract).json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
