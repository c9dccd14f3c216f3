"""What the models learn from: everything they were asked, whatever was decided and whatever came of it."""

from dataclasses import replace

from models.scorer import Features, Score
from schemas.example import Example
from tests.simulation.driver import Change, Task, Tick, merged, run
from tests.simulation.logs import DAY, HOUR, START, Happening, log_of, welcomed
from tests.unit.decisions.builders import circumstances

TEA = {"product_id": "p1", "price": 10.0}
ADDED = Happening(0, 0, 1, "web", {"type": "product_added", "cart_id": "k1", "product": TEA})


class Calm:
    """A model that thinks 0.2 of everybody."""

    version = 1

    def score(self, features: Features) -> Score:
        return Score(0.2, self.version)


def ordered(after: int, order_id: str) -> Happening:
    return Happening(
        after, 0, 1, "orders", {"type": "order_placed", "order_id": order_id, "total": 10, "items": [TEA]}
    )


def examples(task: Task) -> list[Example]:
    return [each for one in task.outputs for each in one.examples if isinstance(each, Example)]


def silent(*happenings: Happening, days: int, welcome: bool = True) -> Task:
    """The happenings, and then so many days in which nothing happens; the churn model finds nothing likely."""
    log = log_of([*(welcomed() if welcome else ()), *happenings])
    at = max(each.at for topic in log.values() for each in topic)
    log["clock"] += [Tick(at + DAY * day) for day in range(1, days)]
    given = circumstances()
    return run(merged(log), replace(given, scorers={**given.scorers, "churn": Calm()}))


def test_a_cart_that_was_held_and_bought_meanwhile_is_learned_from() -> None:
    log = log_of([*welcomed(), ADDED, ordered(2 * HOUR, "o1")])
    log["around"].append(Change(START, paused=frozenset({"*"})))

    task = run(merged(log), circumstances())

    (example,) = [each for each in examples(task) if each.model == "cart"]
    assert example.label is True


def test_looks_that_announce_nothing_are_recorded_and_learned_from() -> None:
    task = silent(ordered(0, "o1"), days=300)

    looks = [each for one in task.outputs for each in one.decisions if each.trigger == "churn_risk"]
    assert {(each.outcome, each.reason_code) for each in looks} == {("suppressed", "score_below_threshold")}
    assert len({each.at for each in looks}) == len(looks) > 5
    learned = [each for each in examples(task) if each.model == "churn"]
    assert {each.decided_at for each in learned} <= {each.at for each in looks}
    assert len(learned) >= 8
    assert all(each.label and each.p == 0.2 for each in learned)


def test_a_look_before_a_purchase_is_learned_as_such() -> None:
    task = silent(ordered(0, "o1"), ordered(50 * DAY, "o2"), days=10)

    learned = [each for each in examples(task) if each.model == "churn"]
    assert learned
    assert not any(each.label for each in learned)


def test_without_profiling_a_look_leaves_no_record() -> None:
    task = silent(ordered(0, "o1"), days=300, welcome=False)

    assert not [each for one in task.outputs for each in one.decisions if each.trigger == "churn_risk"]
    assert examples(task) == []
