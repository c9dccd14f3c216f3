"""The decision record: what was seen, which gates were asked, what came out and why."""

from typing import Any, Literal, cast

from schemas.action import BusinessKey, moment
from schemas.customer import Customer, Held
from schemas.decision import Condition, Decision
from schemas.event import Millis
from streams.decisions.gates import Asked
from streams.decisions.ids import action_id, digest
from streams.triggers.circumstances import Circumstances


def decided(
    row: Customer,
    asked: Asked,
    now: Millis,
    circumstances: Circumstances,
    outcome: Literal["fired", "deferred", "suppressed"],
    reason: str,
) -> Decision:
    """The record of a candidate that met the gates; a fired one names the action's id.

    Its id hashes the candidate's identity, the moment, outcome and reason, so that a deferral and the final
    record of one candidate differ.
    """
    seen = asked.candidate
    about = str(seen.business_key)
    return Decision(
        decision_id=digest("decision", row.key, seen.trigger, about, seen.occurrence, now, outcome, reason),
        customer_key=row.key,
        trigger=seen.trigger,
        business_key=seen.business_key,
        at=moment(now),
        outcome=outcome,
        reason_code=reason,
        conditions=seen.conditions,
        evidence=seen.evidence,
        gates=asked.outcomes,
        policy_version=circumstances.policy_version,
        reference_version=circumstances.reference_version,
        score=seen.score,
        model=seen.model,
        model_version=seen.model_version,
        action_ids=(action_id(row.key, seen),) if outcome == "fired" else (),
    )


def dropped(row: Customer, held: Held, now: Millis, circumstances: Circumstances, reason: str) -> Decision:
    """The final record of a held candidate that never met the gates again.

    It names the record of the deferral, where conditions and evidence stand.
    """
    kind, _, name = held.business_key.partition(":")
    return Decision(
        decision_id=digest("decision", row.key, held.decision_id, now, "suppressed", reason),
        customer_key=row.key,
        trigger=held.trigger,
        business_key=BusinessKey(kind=cast(Any, kind), id=name),
        at=moment(now),
        outcome="suppressed",
        reason_code=reason,
        conditions=(
            Condition(name="deferred_by", value=held.decision_id, met=True),
            Condition(name="held_for", value=held.reason, met=True),
        ),
        evidence=(),
        gates=(),
        policy_version=circumstances.policy_version,
        reference_version=circumstances.reference_version,
    )
