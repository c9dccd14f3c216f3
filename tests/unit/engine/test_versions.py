from models.scorer import Features, Score
from schemas.policy import Policy
from streams.engine.task_row import TaskRow
from streams.engine.versions import Versions
from streams.triggers.circumstances import Circumstances
from streams.triggers.feeds import FeedTracker


class Model:
    def __init__(self, version: int) -> None:
        self.version = version

    def score(self, features: Features) -> Score:
        return Score(0.5, self.version)


def _known(version: int) -> Versions:
    return Versions(Policy(version="p"), "p-1", {"cart": Model(version)})


def _given(versions: Versions) -> Circumstances:
    return Circumstances(
        policy=versions.policy,
        policy_version=versions.policy_version,
        scorers=dict(versions.scorers),
        feeds=FeedTracker(versions.policy.feeds),
        allowed_lateness_ms={},
    )


def test_nothing_changes_where_nothing_is_new() -> None:
    versions = _known(1)
    assert versions.apply(_given(versions)) == {}


def test_what_changes_is_taken_over_once_and_told_for_the_journal() -> None:
    versions = _known(1)
    given = _given(versions)
    versions.scorers["cart"] = Model(2)
    versions.paused, versions.released = frozenset({"churn_risk"}), {"abandonment": 9}
    versions.reference_version = 9
    assert versions.apply(given) == {
        "reference_version": 9,
        "paused": ["churn_risk"],
        "released": {"abandonment": 9},
        "model_versions": {"cart": 2},
    }
    assert (given.scorers["cart"].version, given.released) == (2, {"abandonment": 9})
    assert versions.apply(given) == {}


def test_a_task_never_scores_with_an_older_model_again() -> None:
    versions = _known(5)
    given = _given(versions)
    versions.scorers["cart"] = Model(4)
    assert versions.apply(given) == {}
    assert given.scorers["cart"].version == 5
    assert not versions.has_reached(TaskRow(model_versions={"cart": 5}))
    assert versions.has_reached(TaskRow(model_versions={"cart": 4}))
    assert not versions.has_reached(TaskRow(model_versions={"cart": 4, "churn": 1}))


def test_a_task_waits_for_the_pauses_that_it_knew() -> None:
    versions = _known(5)
    versions.reference_version = 7
    assert versions.has_reached(TaskRow(reference_version=7))
    assert not versions.has_reached(TaskRow(reference_version=8))
