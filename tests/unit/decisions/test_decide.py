"""From candidate to action, deferral or suppression, and the record of each."""

from dataclasses import replace

from schemas.action import Action, BusinessKey, moment
from schemas.customer import MAX_HELD, Customer, Identity
from schemas.decision import Condition
from schemas.event import Millis
from schemas.policy import Storms
from streams.decisions.decide import decide
from streams.decisions.effects import Effects
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances
from streams.triggers.storms import StormTracker
from tests.unit.decisions.builders import (
    AT,
    DAY,
    HOUR,
    MINUTE,
    candidate,
    circumstances,
    customer,
    scored,
)


def decided(row: Customer, proposed: Candidate, now: Millis, given: Circumstances) -> Effects:
    effects = Effects()
    decide(row, proposed, now, given, effects)
    return effects


def the_action(effects: Effects) -> Action:
    (action,) = effects.actions
    assert isinstance(action, Action)
    return action


def test_an_action_says_who_where_until_when_and_why() -> None:
    row = customer("marketing")
    row.identity = Identity(
        customer_id="1",
        email_hash="ab",
        anonymous_ids=["old", "new"],
        locale="en-GB",
        time_zone="Europe/London",
    )

    action = the_action(decided(row, candidate(by_person=True), AT, circumstances()))

    assert action.customer_key == "c:1"
    assert action.identifiers == {
        "customer_id": "1",
        "email_hash": "ab",
        "anonymous_id": "new",
        "anonymous_id_2": "old",
    }
    assert (action.channel, action.category, action.purpose) == ("email", "marketing", "marketing")
    assert (action.locale, action.time_zone, action.by) == ("en-GB", "Europe/London", "person")
    assert (action.valid_from, action.expires_at) == (moment(AT), moment(AT + 3 * DAY))


def test_a_customer_of_unknown_language_and_zone_gets_the_policys() -> None:
    action = the_action(
        decided(customer("marketing"), candidate(), AT, circumstances(contacts={"default_locale": "ca"}))
    )

    assert (action.locale, action.time_zone, action.by) == ("ca", "UTC", "machine")


def test_a_service_message_has_the_purpose_service() -> None:
    action = the_action(decided(customer(), candidate(category="transactional"), AT, circumstances()))

    assert (action.purpose, action.category) == ("service", "transactional")


def test_action_and_record_name_each_other() -> None:
    effects = decided(customer("marketing", "profiling"), scored(), AT, circumstances())

    (decision,) = effects.decisions
    assert decision.outcome == "fired"
    assert decision.reason_code == "cart_left"
    assert decision.action_ids == (the_action(effects).action_id,)
    assert the_action(effects).decision_id == decision.decision_id
    assert (decision.score, decision.model, decision.model_version) == (0.7, "cart", 3)
    assert decision.conditions == (Condition(name="silence_minutes", value=60, met=True),)
    assert decision.evidence == ("e1",)
    assert decision.policy_version == "p1"


def test_a_suppression_has_a_record_and_no_action() -> None:
    effects = decided(customer(), candidate(), AT, circumstances())

    assert effects.actions == []
    (decision,) = effects.decisions
    assert (decision.outcome, decision.reason_code) == ("suppressed", "no_marketing_consent")
    assert decision.action_ids == ()


def test_the_record_of_a_customer_without_profiling_knows_no_score() -> None:
    effects = decided(customer("marketing"), scored(), AT, circumstances())

    (decision,) = effects.decisions
    assert (decision.score, decision.model, decision.model_version) == (None, None, None)


def test_the_same_calls_make_equal_bytes() -> None:
    def once() -> list[str]:
        effects = decided(customer("marketing", "profiling"), scored(), AT, circumstances())
        return [each.to_json().decode() for each in (*effects.actions, *effects.decisions)]

    assert once() == once()


def test_an_actions_id_depends_on_customer_trigger_business_key_and_occurrence_alone() -> None:
    def id_of(proposed: Candidate, key: str = "c:1", now: Millis = AT, version: str = "p1") -> str:
        row = customer("marketing")
        row.key = key
        return the_action(
            decided(row, proposed, now, replace(circumstances(), policy_version=version))
        ).action_id

    same = {id_of(candidate()), id_of(candidate(), now=AT + 1), id_of(candidate(), version="p2")}
    others = {
        id_of(candidate(occurrence="2")),
        id_of(candidate(), key="c:2"),
        id_of(candidate(trigger="abandonment.checkout")),
        id_of(candidate(business_key=BusinessKey(kind="cart", id="k2"))),
        id_of(candidate(business_key=BusinessKey(kind="order", id="k1"))),
    }

    assert len(same) == 1
    assert len(same | others) == 6


def test_a_deferral_is_held_with_a_timer_and_a_record() -> None:
    row = customer("marketing")

    effects = decided(row, candidate(), AT, circumstances(paused="*"))

    (decision,) = effects.decisions
    assert (decision.outcome, decision.reason_code) == ("deferred", "paused")
    assert decision.gates[-1].until == moment(AT + MINUTE)
    (held,) = row.held
    assert (held.trigger, held.business_key, held.reason) == ("abandonment.cart", "cart:k1", "paused")
    assert (held.since, held.expires_at, held.decision_id) == (AT, AT + 3 * DAY, decision.decision_id)
    assert row.timers == {"held:abandonment.cart:cart:k1": AT + MINUTE}


def test_a_held_candidate_rings_no_later_than_it_expires() -> None:
    row = customer("marketing")

    decided(row, candidate(expires_at=AT + 10), AT, circumstances(paused="*"))

    assert row.timers == {"held:abandonment.cart:cart:k1": AT + 10}


def test_a_new_candidate_takes_the_place_of_the_held_one() -> None:
    row = customer("marketing")
    first = decided(row, candidate(), AT, circumstances(paused="*"))

    effects = decided(row, candidate(occurrence="2"), AT + MINUTE, circumstances())

    ended, fired = effects.decisions
    assert (ended.outcome, ended.reason_code) == ("suppressed", "superseded")
    assert ended.conditions[0] == Condition(
        name="deferred_by", value=first.decisions[0].decision_id, met=True
    )
    assert fired.outcome == "fired"
    assert row.held == []
    assert row.timers == {}


def test_a_candidate_that_lacks_a_condition_of_its_own_does_not_end_the_held_one() -> None:
    row = customer("marketing")
    decided(row, candidate(), AT, circumstances(paused="*"))
    lacks = (Condition(name="score", value=0.3, met=False),)

    effects = decided(row, candidate(occurrence="2", conditions=lacks), AT + MINUTE, circumstances())

    (decision,) = effects.decisions
    assert (decision.outcome, decision.reason_code) == ("suppressed", "cart_left")
    assert [each.business_key for each in row.held] == ["cart:k1"]
    assert row.timers == {"held:abandonment.cart:cart:k1": AT + MINUTE}


def test_what_a_model_said_waits_for_its_label_once_whatever_becomes_of_the_candidate() -> None:
    for given in (circumstances(), circumstances(contacts={"cap": 0}), circumstances(paused="*")):
        row = customer("marketing", "profiling")
        (decision,) = decided(row, scored(), AT, given).decisions
        assert [each.decision_id for each in row.pending] == [decision.decision_id]

    held = row.held.pop()
    decide(row, scored(), AT + HOUR, circumstances(), Effects(), held)
    assert [each.at for each in row.pending] == [AT]


def test_a_full_waiting_room_ends_what_expires_first() -> None:
    row = customer("marketing")
    paused = circumstances(paused="*")
    for nth in range(MAX_HELD):
        cart = BusinessKey(kind="cart", id=f"k{nth}")
        decided(row, candidate(business_key=cart, expires_at=AT + DAY - nth), AT, paused)

    effects = decided(row, candidate(business_key=BusinessKey(kind="cart", id="new")), AT, paused)

    assert [(each.outcome, each.reason_code) for each in effects.decisions] == [
        ("deferred", "paused"),
        ("suppressed", "held_overflow"),
    ]
    assert effects.decisions[1].business_key.id == f"k{MAX_HELD - 1}"
    assert len(row.held) == len(row.timers) == MAX_HELD


def test_the_new_one_is_not_excepted_when_it_expires_first() -> None:
    row = customer("marketing")
    paused = circumstances(paused="*")
    for nth in range(MAX_HELD):
        decided(row, candidate(business_key=BusinessKey(kind="cart", id=f"k{nth}")), AT, paused)

    effects = decided(
        row, candidate(business_key=BusinessKey(kind="cart", id="new"), expires_at=AT + 1), AT, paused
    )

    assert effects.decisions[1].business_key.id == "new"
    assert len(row.held) == len(row.timers) == MAX_HELD


def test_what_has_waited_long_is_looked_at_after_an_eighth_more() -> None:
    row = customer("marketing")
    paused = circumstances(paused="*")
    decided(row, candidate(), AT, paused)
    (held,) = row.held
    row.held.clear()

    decide(row, candidate(), AT + 8 * HOUR, paused, Effects(), held)

    assert row.timers == {"held:abandonment.cart:cart:k1": AT + 9 * HOUR}
    assert row.held == [held]


def test_a_wait_whose_reason_changes_keeps_its_age() -> None:
    row, effects = customer("marketing"), Effects()
    decided(row, candidate(), AT, circumstances(paused="*"))
    held = row.held.pop()

    decide(row, candidate(), AT + HOUR, circumstances(stale=frozenset({"orders"})), effects, held)

    (changed,) = row.held
    assert (changed.reason, changed.since) == ("feed_stale", AT)
    assert changed.decision_id == effects.decisions[0].decision_id != held.decision_id


def test_the_firing_that_reaches_the_limit_goes_out_and_what_follows_is_held_with_a_record() -> None:
    given = replace(circumstances(), storms=StormTracker(Storms(limit=2), 1), reference_version=6)
    rows = [customer("marketing") for _ in range(4)]
    for nth, row in enumerate(rows):
        row.key = f"c:{nth}"

    told = [decided(row, candidate(), AT, given) for row in rows]

    assert [len(each.actions) for each in told] == [1, 1, 0, 0]
    assert [each.decisions[0].reason_code for each in told] == ["cart_left", "cart_left", "storm", "storm"]
    assert told[2].decisions[0].outcome == "deferred"
    assert told[2].decisions[0].gates[-1].gate == "storm"
    assert [held.reason for held in rows[2].held] == ["storm"]
    assert given.storms.history.triggers["abandonment.cart"].held_version == 6


def test_only_what_goes_out_is_counted() -> None:
    given = replace(circumstances(paused="*"), storms=StormTracker(Storms(limit=1), 1))
    decided(customer("marketing"), candidate(), AT, given)
    decided(customer(), candidate(), AT, given)
    assert given.storms.history.triggers == {}


def test_what_a_storm_holds_says_so_once_and_ends_with_its_expiry_or_goes_out_when_a_person_releases_it() -> (
    None
):
    given = replace(circumstances(), storms=StormTracker(Storms(limit=1), 1), reference_version=6)
    decided(customer("marketing"), candidate(), AT, given)
    row, effects = customer("marketing"), Effects()
    row.key = "c:2"
    decide(row, candidate(expires_at=AT + HOUR), AT, given, effects)
    held = row.held.pop()

    decide(row, candidate(expires_at=AT + HOUR), AT + MINUTE, given, effects, held)
    assert [each.outcome for each in effects.decisions] == ["deferred"]
    assert row.held == [held]

    row.held.clear()
    decide(row, candidate(expires_at=AT + HOUR), AT + HOUR, given, effects, held)
    assert [each.reason_code for each in effects.decisions] == ["storm", "expired"]
    assert effects.actions == []

    given.released = {"*": 7}
    decide(row, candidate(), AT + 2 * MINUTE, given, effects, held)
    assert [each.outcome for each in effects.decisions] == ["deferred", "suppressed", "fired"]
    assert len(effects.actions) == 1
