"""A candidate's way: through the gates to an action, a deferral or a suppression, each with its record."""

from schemas.customer import Customer, Held
from schemas.event import Millis
from streams.decisions import hold, labels, record
from streams.decisions.effects import Effects
from streams.decisions.emit import emit
from streams.decisions.gates import Defer, Pass, Suppress, ask_all
from streams.decisions.gates.conditions import are_met
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances


def decide(
    row: Customer,
    candidate: Candidate,
    now: Millis,
    circumstances: Circumstances,
    effects: Effects,
    held: Held | None = None,
) -> None:
    """Decide the candidate on the row as it is at `now`, ms; `held` is its deferral if it was held.

    A candidate that arises while an earlier one of its trigger and business key is held takes that one's
    place, unless its own conditions are not met. A deferral repeated for the same reason leaves no record, so
    a held candidate has the record of its first deferral, one for every change of the reason, and exactly one
    final record. What a model said waits for its label from the moment the candidate arose, whatever becomes
    of it: who was held and bought meanwhile is to be learned from too.
    """
    if held is None and are_met(candidate):
        _supersede(row, candidate, now, circumstances, effects)
    asked = ask_all(row, candidate, now, circumstances)
    match asked.verdict:
        case Defer(reason, until) if held is not None and held.reason == reason:
            _hold(row, held, until, now, circumstances, effects)
            return
        case Defer(reason, until):
            decision = record.decided(row, asked, now, circumstances, "deferred", reason)
            effects.decisions.append(decision)
            _hold(
                row, hold.deferred(asked.candidate, decision, now, held), until, now, circumstances, effects
            )
        case Suppress(reason):
            decision = record.decided(row, asked, now, circumstances, "suppressed", reason)
            effects.decisions.append(decision)
        case Pass(fired):
            decision = record.decided(row, asked, now, circumstances, "fired", fired.reason_code)
            effects.decisions.append(decision)
            effects.actions.append(emit(row, fired, decision, now, circumstances))
            circumstances.storms.note(fired.trigger, now, circumstances.reference_version)
    if held is None:
        labels.expect(row, asked.candidate, decision.decision_id, now)


def _hold(
    row: Customer, held: Held, until: Millis, now: Millis, circumstances: Circumstances, effects: Effects
) -> None:
    crowded_out = hold.keep(row, held, until, now)
    if crowded_out is not None:
        effects.decisions.append(record.dropped(row, crowded_out, now, circumstances, "held_overflow"))


def _supersede(
    row: Customer, candidate: Candidate, now: Millis, circumstances: Circumstances, effects: Effects
) -> None:
    earlier = hold.release(row, candidate.trigger, str(candidate.business_key))
    if earlier is not None:
        effects.decisions.append(record.dropped(row, earlier, now, circumstances, "superseded"))
