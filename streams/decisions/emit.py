"""From a candidate that passed every gate to the action that the messaging services read."""

from schemas.action import Action, moment
from schemas.customer import Customer, Identity
from schemas.decision import Decision
from schemas.event import Millis
from streams.decisions import ledger
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances


def emit(
    row: Customer, candidate: Candidate, decision: Decision, now: Millis, circumstances: Circumstances
) -> Action:
    """The action, valid from `now`, ms, on the channel that the consent gate left; entered in the ledger.

    The customer's own locale and time zone, else the policy's.
    """
    policy = circumstances.policy
    action = Action(
        action_id=decision.action_ids[0],
        trigger=candidate.trigger,
        customer_key=row.key,
        identifiers=identifiers(row.identity),
        business_key=candidate.business_key,
        purpose="marketing" if candidate.category == "marketing" else "service",
        category=candidate.category,
        channel=candidate.channels[0],
        template_id=candidate.template_id,
        locale=row.identity.locale or policy.contacts.default_locale,
        time_zone=row.identity.time_zone or policy.time.default_zone,
        priority=candidate.priority,
        content=candidate.content,
        reason_internal=candidate.reason_internal,
        reason_customer=candidate.reason_customer,
        by="person" if candidate.by_person else "machine",
        valid_from=moment(now),
        expires_at=moment(candidate.expires_at),
        decision_id=decision.decision_id,
    )
    ledger.enter(row, action, now, candidate.expires_at)
    return action


def identifiers(identity: Identity) -> dict[str, str]:
    """All that is known, strongest first.

    Anonymous ids newest first as `anonymous_id`, `anonymous_id_2`, …
    """
    known = {
        "customer_id": identity.customer_id,
        "loyalty_card": identity.loyalty_card,
        "email_hash": identity.email_hash,
        "phone_hash": identity.phone_hash,
        "device_id": identity.device_id,
    }
    for nth, anonymous_id in enumerate(reversed(identity.anonymous_ids), start=1):
        known["anonymous_id" if nth == 1 else f"anonymous_id_{nth}"] = anonymous_id
    return {name: value for name, value in known.items() if value is not None}
