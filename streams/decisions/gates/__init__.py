"""The gates, in the order in which a candidate meets them.

First what can only end a candidate or take something from it (nothing forbidden or expired is ever held),
then what makes it wait, then the cap: it is reserved by the emission that follows it at once, so no
candidate that waits holds a place. Last the storm breaker, for it counts what goes out: what the cap ends is
neither a storm nor has it to wait for the end of one.
"""

from functools import cache
from typing import NamedTuple

from schemas.action import moment
from schemas.customer import Customer
from schemas.decision import GateOutcome
from schemas.event import Millis
from streams.decisions.gates import (
    cap,
    conditions,
    consent,
    expiry,
    feed_stale,
    late_item,
    paused,
    profiling,
    storm,
    unsaid,
)
from streams.decisions.gates.verdict import Defer, Gate, Pass, Suppress, Verdict
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances

GATES: tuple[tuple[str, Gate], ...] = (
    ("profiling", profiling.ask),
    ("conditions", conditions.ask),
    ("consent", consent.ask),
    ("expiry", expiry.ask),
    ("unsaid", unsaid.ask),
    ("paused", paused.ask),
    ("feed_stale", feed_stale.ask),
    ("late_item", late_item.ask),
    ("cap", cap.ask),
    ("storm", storm.ask),
)

__all__ = ["GATES", "Asked", "Defer", "Gate", "Pass", "Suppress", "Verdict", "ask_all"]


class Asked(NamedTuple):
    """The candidate as the gates left it, the last verdict, and what every gate asked said, in order."""

    candidate: Candidate
    verdict: Verdict
    outcomes: tuple[GateOutcome, ...]


def ask_all(row: Customer, candidate: Candidate, now: Millis, circumstances: Circumstances) -> Asked:
    """Ask gate after gate until one does not let the candidate pass."""
    outcomes: list[GateOutcome] = []
    verdict: Verdict = Pass(candidate)
    for name, gate in GATES:
        verdict = gate(row, candidate, now, circumstances)
        if not isinstance(verdict, Pass):
            outcomes.append(_stopped(name, verdict))
            break
        candidate = verdict.candidate
        outcomes.append(_passed(name, verdict.reason))
    return Asked(candidate, verdict, tuple(outcomes))


@cache
def _passed(gate: str, reason: str | None) -> GateOutcome:
    return GateOutcome(gate=gate, outcome="passed", reason=reason)


def _stopped(gate: str, verdict: Suppress | Defer) -> GateOutcome:
    if isinstance(verdict, Suppress):
        return GateOutcome(gate=gate, outcome="suppressed", reason=verdict.reason)
    return GateOutcome(gate=gate, outcome="deferred", reason=verdict.reason, until=moment(verdict.until))
