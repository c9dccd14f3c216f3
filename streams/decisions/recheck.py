"""A held candidate's timer rings: is it still true, and do the gates let it through now?"""

from schemas.customer import Customer
from schemas.event import Millis
from streams.decisions import hold, record
from streams.decisions.decide import decide
from streams.decisions.effects import Effects
from streams.decisions.gates.expiry import EXPIRED
from streams.triggers import families
from streams.triggers.circumstances import Circumstances


def recheck(
    row: Customer,
    trigger: str,
    business_key: str,
    due: Millis,
    circumstances: Circumstances,
    effects: Effects,
) -> None:
    """Look at the held candidate at `due`, ms. It never outlives the expiry that it was first held with.

    Ends it as `expired`, or as `no_longer_true` when its trigger would not propose it any more; else the
    gates are asked again.
    """
    held = hold.release(row, trigger, business_key)
    if held is None:
        return
    if due >= held.expires_at:
        effects.decisions.append(record.dropped(row, held, due, circumstances, EXPIRED))
        return
    candidate = families.recheck(row, held, due, circumstances)
    if candidate is None:
        effects.decisions.append(record.dropped(row, held, due, circumstances, "no_longer_true"))
        return
    candidate = candidate._replace(expires_at=min(candidate.expires_at, held.expires_at))
    decide(row, candidate, due, circumstances, effects, held)
