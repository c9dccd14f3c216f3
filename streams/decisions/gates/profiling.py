"""Without the purpose `profiling` a candidate keeps nothing that a model said of the customer."""

from schemas.customer import Customer
from schemas.event import Millis
from streams.customers import consent
from streams.decisions.gates.verdict import Pass, Suppress, Verdict
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances

SCORE_CONDITION = "score"
"""The name of the condition by which a trigger says that it fired because of its score."""


def ask(row: Customer, candidate: Candidate, now: Millis, circumstances: Circumstances) -> Verdict:
    """Take score, model, features and horizon away; suppress what rests on the score itself.

    A score that only accompanies a candidate is withheld and the candidate goes on. A candidate with a
    condition on the score exists because of profiling, so it ends.
    """
    if candidate.model is None and candidate.score is None and candidate.features is None:
        return Pass(candidate)
    if consent.allows(row, "profiling", None):
        return Pass(candidate)
    if any(condition.name == SCORE_CONDITION for condition in candidate.conditions):
        return Suppress("no_profiling_consent")
    unscored = candidate._replace(score=None, model=None, model_version=None, features=None, horizon_ms=None)
    return Pass(unscored, "score_withheld")
