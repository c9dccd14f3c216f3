"""Whether what the workers wrote is what the oracle makes of all that was sent, and whether that was enough."""

from tests.broker.workers import Deployment
from tests.faults import comparing
from tests.faults.comparing_rows import assert_rows
from tests.faults.oracle import Expected, refold
from tests.faults.oracle_models import assert_learned


def assert_as_expected(shop: Deployment) -> Expected:
    """What was written is what the oracle makes of all that was sent."""
    shop.await_taken(90)
    written, partitions = comparing.Written(shop), shop.settings.partitions
    expected = refold(comparing.inputs(shop), partitions, written.told())
    comparing.assert_letters(written, expected)
    assert_rows(written, expected)
    comparing.assert_decisions(written, expected)
    comparing.assert_actions(written, expected)
    comparing.assert_examples(written, expected)
    assert_learned(written.published, written.taught, partitions)
    assert all(versions.only_rise() for versions in written.told().versions.values())
    return expected


def assert_much_happened(expected: Expected) -> None:
    """Models were swapped in while scores were asked for, and everything that is compared is there to compare."""
    spoke = {(word.model, word.version) for word in expected.scores.values()}
    for model in ("cart", "churn"):
        # The rule and a learned one at least; how many come in time is the machine's doing.
        assert len({version for name, version in spoke if name == model}) >= 2
    watches = [life.watch for life in expected.lives.values()]
    statuses = {contact.status for watch in watches for contact in watch.ledger.contacts}
    assert statuses >= {"emitted", "cancelled", "sent", "bounced"}
    assert any(watch.labels.pending for watch in watches)
    reasons = {each.reason for each in expected.said}
    assert reasons >= {"cap_reached", "late_item", "score_below_threshold", "already_announced"}
    assert {lesson.label for lesson in expected.lessons} == {True, False}
