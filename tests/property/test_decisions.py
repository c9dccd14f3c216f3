"""What must hold of every decision, whatever customers do, by oracles that read only log and outputs."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.action import Action
from schemas.customer import unpack
from schemas.event import Arrival, Millis, to_millis
from schemas.touchpoints.consent import ConsentChanged
from schemas.touchpoints.messages import MessageFeedback
from streams.decisions.effects import Effects
from tests.simulation.driver import Change, Entry, Task, merged, run
from tests.simulation.logs import DAY, FEEDBACK, HAPPENINGS, WELCOMES, log_of, with_feedback
from tests.unit.customers.builders import LATENESS
from tests.unit.decisions.builders import circumstances

CAP = 1
WINDOW = 7 * DAY
_GIVEN = circumstances(contacts={"cap": CAP, "cap_window": "7d"})
_laws = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])


class Run(NamedTuple):
    """A log and what came of it, entry by entry."""

    log: Sequence[Entry]
    task: Task

    def steps(self) -> Iterator[tuple[Entry, Effects]]:
        return zip(self.log, self.task.outputs, strict=True)


@st.composite
def runs(draw: st.DrawFn) -> Run:
    log = log_of(draw(WELCOMES) + draw(HAPPENINGS))
    log = with_feedback(log, run(merged(log), _GIVEN), draw(FEEDBACK))
    return Run(merged(log), run(merged(log), _GIVEN, sizes=[1]))


class Said:
    """What customers said of their consent; the rule: the last word holds, a refusal in doubt."""

    def __init__(self) -> None:
        self.words = defaultdict[tuple[str, str, str | None], list[tuple[Millis, bool]]](list)
        self.stream_time = 0

    def hear(self, entry: Entry) -> None:
        """A late event says nothing."""
        if isinstance(entry, Change):
            return
        self.stream_time = max(self.stream_time, entry.at)
        if not isinstance(entry, Arrival) or entry.at < self.stream_time - LATENESS[entry.touchpoint]:
            return
        event, who = entry.event, entry.key.decode()
        if isinstance(event, ConsentChanged):
            self.words[who, event.purpose, event.channel].append((entry.at, event.type != "granted"))
        elif isinstance(event, MessageFeedback) and event.type in {"unsubscribed", "complained"}:
            self.words[who, "marketing", event.channel].append((entry.at, True))
        if event.context is not None and event.context.consent:
            for purpose, granted in event.context.consent.items():
                if not granted:
                    self.words[who, purpose, None].append((entry.at, True))

    def allows(self, who: str, purpose: str, channel: str | None) -> bool:
        last = [max(said) for key in (None, channel) if (said := self.words[who, purpose, key])]
        return bool(last) and not any(refused for _, refused in last)


@_laws
@given(runs())
def test_no_marketing_goes_where_it_is_not_allowed_at_that_moment(seen: Run) -> None:
    said = Said()
    for entry, effects in seen.steps():
        sent = [each for each in effects.actions if isinstance(each, Action) and each.category == "marketing"]
        before = [said.allows(each.customer_key, "marketing", each.channel) for each in sent]
        said.hear(entry)
        after = [said.allows(each.customer_key, "marketing", each.channel) for each in sent]
        assert all(was or is_now for was, is_now in zip(before, after, strict=True))


@_laws
@given(runs())
def test_without_profiling_there_is_no_score_and_no_example(seen: Run) -> None:
    said, customers = Said(), {"c:1", "c:2"}
    for entry, effects in seen.steps():
        allowed = {who for who in customers if said.allows(who, "profiling", None)}
        said.hear(entry)
        allowed |= {who for who in customers if said.allows(who, "profiling", None)}
        assert {each.customer_key for each in effects.decisions if each.score is not None} <= allowed
        if not allowed:
            assert effects.examples == []


@_laws
@given(runs())
def test_no_window_holds_more_marketing_than_the_cap(seen: Run) -> None:
    places: dict[str, dict[str, Millis]] = defaultdict(dict)
    for entry, effects in seen.steps():
        for each in effects.actions:
            mine = places[each.customer_key]
            if not isinstance(each, Action):
                mine.pop(each.action_id, None)
            elif each.category == "marketing":
                mine[each.action_id] = to_millis(each.valid_from)
                assert _most_in_a_window(list(mine.values())) <= CAP
        if isinstance(entry, Arrival) and isinstance(entry.event, MessageFeedback):
            bounced = entry.event.type == "bounced"
            places[entry.key.decode()].pop(entry.event.action_id if bounced else "", None)


@_laws
@given(runs())
def test_what_is_held_ends_with_exactly_one_final_record(seen: Run) -> None:
    held: dict[tuple[str, str, str], str] = {}
    for _, effects in seen.steps():
        for each in effects.decisions:
            if not all(condition.met for condition in each.conditions):
                continue  # it ends nothing: what is held may still be true
            about = (each.customer_key, each.trigger, str(each.business_key))
            if each.outcome == "deferred":
                assert held.get(about) != each.reason_code, "a deferral for the same reason has no record"
                held[about] = each.reason_code
                continue
            was_held = held.pop(about, None) is not None
            assert was_held or all(condition.name != "deferred_by" for condition in each.conditions)
    waiting = {
        (row.key, each.trigger, each.business_key): each
        for row in map(unpack, seen.task.rows.values())
        for each in row.held
    }
    assert held == {about: each.reason for about, each in waiting.items()}
    assert all(each.expires_at > seen.task.clock for each in waiting.values()), "it has outlived its expiry"


@_laws
@given(runs())
def test_every_action_has_its_own_id_and_a_record_that_names_it(seen: Run) -> None:
    decisions = [each for effects in seen.task.outputs for each in effects.decisions]
    actions = [each for effects in seen.task.outputs for each in effects.actions if isinstance(each, Action)]
    named = {each.decision_id: each.action_ids for each in decisions}

    assert len(named) == len(decisions)
    assert len({each.action_id for each in actions}) == len(actions)
    assert all(named[each.decision_id] == (each.action_id,) for each in actions)
    assert sum(each.outcome == "fired" for each in decisions) == len(actions)


@_laws
@given(runs())
def test_only_what_was_said_and_never_twice_is_cancelled(seen: Run) -> None:
    open_actions: set[str] = set()
    for _, effects in seen.steps():
        for each in effects.actions:
            if isinstance(each, Action):
                open_actions.add(each.action_id)
            else:
                open_actions.remove(each.action_id)


def _most_in_a_window(times: list[Millis]) -> int:
    return max(sum(start <= at < start + WINDOW for at in times) for start in times)
