"""Each gate alone, at its edges, and the order in which they are asked."""

import pytest

from schemas.customer import Order, OrderItem, Permission
from schemas.decision import Condition
from schemas.policy import Storms
from streams.decisions.gates import (
    GATES,
    Defer,
    Pass,
    Suppress,
    ask_all,
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
from streams.decisions.ids import action_id
from streams.triggers.storms import StormTracker
from tests.unit.decisions.builders import (
    AT,
    DAY,
    HOUR,
    MINUTE,
    candidate,
    circumstances,
    contact,
    customer,
    scored,
)

ORDER = [
    "profiling",
    "conditions",
    "consent",
    "expiry",
    "unsaid",
    "paused",
    "feed_stale",
    "late_item",
    "cap",
    "storm",
]


def test_profiling_withholds_the_score_without_consent() -> None:
    verdict = profiling.ask(customer(), scored(), AT, circumstances())

    assert verdict == Pass(candidate(), "score_withheld")


def test_profiling_leaves_the_score_with_consent() -> None:
    verdict = profiling.ask(customer("profiling"), scored(), AT, circumstances())

    assert verdict == Pass(scored())


def test_profiling_suppresses_what_rests_on_the_score_itself() -> None:
    of_the_score = scored(conditions=(Condition(name="score", value=0.7, met=True),))

    assert profiling.ask(customer(), of_the_score, AT, circumstances()) == Suppress("no_profiling_consent")


@pytest.mark.parametrize(
    ("allowed", "channel"),
    [(("marketing",), "email"), (("marketing/email",), "email"), (("marketing/app",), "app")],
)
def test_consent_takes_the_first_channel_that_is_allowed(allowed: tuple[str, ...], channel: str) -> None:
    verdict = consent.ask(customer(*allowed), candidate(), AT, circumstances())

    assert verdict == Pass(candidate(channels=(channel,)))


def test_consent_that_is_unknown_is_denied_for_marketing() -> None:
    assert consent.ask(customer(), candidate(), AT, circumstances()) == Suppress("no_marketing_consent")


@pytest.mark.parametrize("status", ["denied", "withdrawn"])
def test_a_denial_on_the_channel_wins_over_a_general_grant(status: str) -> None:
    row = customer("marketing")
    row.consent["marketing/email"] = Permission(status, AT, "call 7")  # type: ignore[arg-type]

    verdict = consent.ask(row, candidate(), AT, circumstances())

    assert verdict == Pass(candidate(channels=("app",)))


@pytest.mark.parametrize("category", ["service", "transactional"])
def test_a_withdrawal_of_marketing_does_not_stop_what_was_ordered(category: str) -> None:
    row = customer()
    row.consent["marketing/email"] = Permission("withdrawn", AT, "call 7")

    verdict = consent.ask(row, candidate(category=category), AT, circumstances())

    assert verdict == Pass(candidate(category=category, channels=("email",)))


def test_a_candidate_without_a_channel_goes_nowhere() -> None:
    verdict = consent.ask(customer("marketing"), candidate(channels=()), AT, circumstances())

    assert verdict == Suppress("no_channel")


@pytest.mark.parametrize(("now", "passes"), [(AT + DAY - 1, True), (AT + DAY, False)])
def test_expiry_begins_with_the_moment_named(now: int, passes: bool) -> None:
    late = candidate(expires_at=AT + DAY)

    assert expiry.ask(customer(), late, now, circumstances()) == (
        Pass(late) if passes else Suppress("expired")
    )


@pytest.mark.parametrize("name", ["abandonment.cart", "abandonment", "*"])
def test_a_pause_of_the_trigger_its_family_or_all_defers(name: str) -> None:
    verdict = paused.ask(customer(), candidate(), AT, circumstances(paused=name))

    assert verdict == Defer("paused", AT + MINUTE)


@pytest.mark.parametrize("name", ["", "abandonment.browse", "churn_risk", "abandon"])
def test_a_pause_of_something_else_does_not(name: str) -> None:
    assert paused.ask(customer(), candidate(), AT, circumstances(paused=name)) == Pass(candidate())


def test_a_stale_feed_that_could_cancel_the_candidate_defers_it() -> None:
    stale = circumstances(stale=frozenset({"orders"}), contacts={"held_retry": "5m"})

    assert feed_stale.ask(customer(), candidate(), AT, stale) == Defer("feed_stale", AT + 5 * MINUTE)


def test_a_stale_feed_that_could_not_cancel_it_is_nothing() -> None:
    stale = circumstances(stale=frozenset({"web"}))

    assert feed_stale.ask(customer(), candidate(), AT, stale) == Pass(candidate())


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        ("marketing", Defer("late_item", AT + HOUR)),
        ("service", Pass(candidate(category="service"))),
        ("transactional", Pass(candidate(category="transactional"))),
    ],
)
def test_only_marketing_waits_while_an_item_is_late(category: str, expected: Pass | Defer) -> None:
    row = customer()
    late = OrderItem(item_id="i1", product_id="p1", quantity=1, promised_at=AT - 2 * DAY)
    row.orders = [Order(order_id="o1", placed_at=AT - 9 * DAY, total=10.0, items=[late])]

    assert late_item.ask(row, candidate(category=category), AT, circumstances()) == expected


def test_the_cap_counts_a_rolling_window_open_at_its_far_end() -> None:
    row = customer()
    of_two = circumstances(contacts={"cap": 2, "cap_window": "7d"})
    row.contacts = [contact(AT - 7 * DAY), contact(AT - DAY)]

    assert cap.ask(row, candidate(), AT, of_two) == Pass(candidate())
    assert cap.ask(row, candidate(), AT - 1, of_two) == Suppress("cap_reached")


def test_contacts_that_lie_ahead_of_a_late_event_count() -> None:
    row = customer()
    row.contacts = [contact(AT + DAY), contact(AT + 2 * DAY)]

    assert cap.ask(row, candidate(), AT, circumstances(contacts={"cap": 2})) == Suppress("cap_reached")


@pytest.mark.parametrize("status", ["bounced", "cancelled"])
def test_what_bounced_or_was_cancelled_is_given_back(status: str) -> None:
    row = customer()
    row.contacts = [contact(AT - DAY, status=status)]

    assert cap.ask(row, candidate(), AT, circumstances(contacts={"cap": 1})) == Pass(candidate())


@pytest.mark.parametrize("category", ["service", "transactional"])
def test_service_is_never_capped_and_takes_no_place(category: str) -> None:
    row = customer()
    none = circumstances(contacts={"cap": 0})
    row.contacts = [contact(AT - DAY, category=category)]

    assert cap.ask(row, candidate(category=category), AT, none) == Pass(candidate(category=category))
    assert cap.ask(row, candidate(), AT, circumstances(contacts={"cap": 1})) == Pass(candidate())


@pytest.mark.parametrize("category", ["marketing", "service", "transactional"])
def test_a_storm_defers_its_trigger_of_every_category_and_no_other(category: str) -> None:
    stormy = circumstances(contacts={"held_retry": "5m"})
    stormy.storms = StormTracker(Storms(limit=1), partitions=1)
    stormy.storms.note("abandonment.cart", AT, 3)

    held, other = candidate(category=category), candidate(trigger="abandonment.browse")
    assert storm.ask(customer(), held, AT, stormy) == Defer("storm", AT + 5 * MINUTE)
    assert storm.ask(customer(), other, AT, stormy) == Pass(other)
    stormy.released = {"abandonment": 4}
    assert storm.ask(customer(), held, AT, stormy) == Pass(held)


def test_what_the_cap_ends_does_not_wait_for_the_end_of_a_storm() -> None:
    stormy = circumstances(contacts={"cap": 0})
    stormy.storms = StormTracker(Storms(limit=1), partitions=1)
    stormy.storms.note("abandonment.cart", AT, 3)

    assert ask_all(customer("marketing"), candidate(), AT, stormy).verdict == Suppress("cap_reached")


def test_the_gates_are_asked_in_their_order_and_every_answer_is_kept() -> None:
    assert [name for name, _ in GATES] == ORDER

    asked = ask_all(customer("marketing"), scored(), AT, circumstances())

    assert [each.gate for each in asked.outcomes] == ORDER
    assert [each.outcome for each in asked.outcomes] == ["passed"] * len(ORDER)
    assert asked.outcomes[0].reason == "score_withheld"


def test_the_first_gate_that_does_not_let_pass_is_the_last_asked() -> None:
    stopped = circumstances(paused="*", stale=frozenset({"orders"}))

    asked = ask_all(customer("marketing"), candidate(), AT, stopped)

    assert [each.gate for each in asked.outcomes] == ORDER[: ORDER.index("paused") + 1]
    assert asked.outcomes[-1].outcome == "deferred"
    assert asked.outcomes[-1].reason == "paused"


def test_a_candidate_whose_own_conditions_are_not_met_ends_for_the_reason_that_it_gives() -> None:
    lacks = Condition(name="score", value=0.3, met=False)
    proposed = candidate(conditions=(*candidate().conditions, lacks), reason_code="score_below_threshold")

    assert conditions.ask(customer(), proposed, AT, circumstances()) == Suppress("score_below_threshold")
    assert conditions.ask(customer(), candidate(), AT, circumstances()) == Pass(candidate())


def test_what_the_ledger_knows_is_not_said_again_and_another_occurrence_is() -> None:
    row = customer("marketing")
    assert unsaid.ask(row, candidate(), AT, circumstances()) == Pass(candidate())

    row.contacts = [contact(AT - HOUR, action_id=action_id(row.key, candidate()))]

    assert unsaid.ask(row, candidate(), AT, circumstances()) == Suppress("already_said")
    another = candidate(occurrence="2")
    assert unsaid.ask(row, another, AT, circumstances()) == Pass(another)


def test_what_is_forbidden_or_expired_is_never_held() -> None:
    stopped = circumstances(paused="*")

    assert ask_all(customer(), candidate(), AT, stopped).verdict == Suppress("no_marketing_consent")
    assert ask_all(customer("marketing"), candidate(expires_at=AT), AT, stopped).verdict == Suppress(
        "expired"
    )
