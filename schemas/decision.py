"""The record of one decision: what was seen, which gates it passed, what came out and why."""

from typing import Literal

from schemas.action import BusinessKey
from schemas.contract import Contract
from schemas.event import Moment

Scalar = bool | int | float | str | None


class Condition(Contract):
    """A condition of the trigger with the value it saw."""

    name: str
    value: Scalar
    met: bool


class GateOutcome(Contract):
    """What one gate said. `until` is given where it deferred."""

    gate: str
    outcome: Literal["passed", "suppressed", "deferred"]
    reason: str | None = None
    until: Moment | None = None


class Decision(Contract):
    """One candidate's fate. `at` is the moment it was decided for (a timer's due time, an event's time)."""

    decision_id: str
    customer_key: str
    trigger: str
    business_key: BusinessKey
    at: Moment
    outcome: Literal["fired", "deferred", "suppressed"]
    reason_code: str
    conditions: tuple[Condition, ...]
    evidence: tuple[str, ...]
    gates: tuple[GateOutcome, ...]
    policy_version: str
    reference_version: int = 0
    score: float | None = None
    model: str | None = None
    model_version: int | None = None
    action_ids: tuple[str, ...] = ()
