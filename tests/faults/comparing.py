"""What was written, held against what the oracle says must be there."""

from collections import Counter
from hashlib import blake2b
from typing import Any, NamedTuple

import pytest

from schemas.customer import Customer, unpack
from schemas.topics import ACTIONS, DEAD_LETTERS, DECISIONS
from tests.broker.reading import Record, read, rows
from tests.broker.workers import Deployment
from tests.faults.oracle import Expected, Input, Letter, Life
from tests.faults.oracle_news import Said
from tests.faults.oracle_orders import DAY, ms

_SCORED = "churn_risk"


class Written(NamedTuple):
    """All that a read-committed consumer finds."""

    changelog: list[Record]
    actions: list[Record]
    decisions: list[Record]
    letters: list[Record]


def written(shop: Deployment) -> Written:
    """What the workers of the deployment have committed so far."""
    topics = (shop.changelog, ACTIONS, DECISIONS, DEAD_LETTERS)
    return Written(*(read(shop.bootstrap, topic) for topic in topics))


def inputs(shop: Deployment) -> list[Input]:
    """All records of the deployment's touchpoints."""
    records = read(shop.bootstrap, *(each.topic for each in shop.touchpoints))
    return [Input(r.topic, r.partition, r.offset, r.key, r.value, r.headers) for r in records]


def assert_rows(written: Written, expected: Expected) -> None:
    """Every customer's row, field by field, as far as the oracle goes."""
    found = {key.decode(): unpack(packed) for key, packed in rows(written.changelog).items()}
    assert found.keys() == expected.lives.keys()
    for key, row in found.items():
        life = expected.lives[key]
        assert _facts(row) == _expected_facts(life), key
        assert _purchases(row) == _expected_purchases(life), key
        _assert_seen(row, life)


def assert_letters(written: Written, expected: Expected) -> None:
    """Every refused and every late record is there once, with its reason, and none else."""
    found = [_letter(record) for record in written.letters]
    assert Counter(found) == Counter(expected.letters)


def assert_decisions(written: Written, expected: Expected) -> None:
    """Every decision of abandonment and after a purchase, once, and none else: so no timer was lost."""
    found = Counter(_said(record.json) for record in written.decisions if record.json["trigger"] != _SCORED)
    wanted = Counter(expected.said)
    assert {"missing": wanted - found, "too many": found - wanted} == {
        "missing": Counter(),
        "too many": Counter(),
    }
    ids = Counter(record.json["decision_id"] for record in written.decisions)
    assert max(ids.values()) == 1


def assert_actions(written: Written, expected: Expected) -> None:
    """Each fired decision has its action exactly once, each action its decision; calls back likewise."""
    actions = [record.json for record in written.actions if _type(record) == "pulpero.action.v1"]
    fired = {
        record.json["action_ids"][0]: record.json
        for record in written.decisions
        if record.json["outcome"] == "fired"
    }
    times = Counter(action["action_id"] for action in actions)
    assert times == Counter(fired.keys())
    for action in actions:
        decision = fired[action["action_id"]]
        assert action["decision_id"] == decision["decision_id"]
        assert (action["trigger"], action["business_key"]) == (decision["trigger"], decision["business_key"])
    back = [record.json for record in written.actions if _type(record) == "pulpero.action_cancelled.v1"]
    assert times.keys() >= {each["action_id"] for each in back}
    assert max(Counter(each["action_id"] for each in back).values(), default=0) <= 1
    known = [each for each in back if each["trigger"] != _SCORED]
    assert Counter(map(_called_back, known)) == Counter(expected.cancelled)


def assert_lapses(written: Written, expected: Expected) -> None:
    """A lapse is announced for a score at the threshold or above, in a silence, once a silence at most."""
    lapses = [record.json for record in written.decisions if record.json["trigger"] == _SCORED]
    assert lapses, "the stream shows no lapse at all"
    for lapse in lapses:
        seen = {condition["name"]: condition["value"] for condition in lapse["conditions"]}
        if "score" in seen:
            assert seen["score"] >= seen["threshold"] or lapse["outcome"] != "fired"
            purchases = expected.lives[lapse["customer_key"]].person.book.purchases
            at = ms(lapse["at"]) or 0
            silence = min(at - each for each in purchases if each <= at)
            assert seen["silence_days"] == pytest.approx(silence / DAY, abs=0.06)


def _facts(row: Customer) -> dict[str, Any]:
    by_day = row.counts.get("events/1d", {})
    return {
        "seen": (row.first_seen, row.last_seen, row.last_event_id),
        "sessions": [[s.start, s.end, s.events, s.views, s.adds] for s in row.sessions],
        "acts": dict(by_day),
        "carts": [
            (
                cart.cart_id,
                cart.opened_at,
                cart.last_at,
                cart.stage,
                cart.fired,
                round(cart.value, 4),
                {item.product_id: (item.quantity, item.price) for item in cart.items},
            )
            for cart in row.carts
        ],
        "orders": [
            (
                order.order_id,
                order.placed_at,
                order.event_id,
                order.total,
                order.refunded,
                order.state,
                order.follows,
                [
                    (
                        *(item.item_id, item.product_id, item.quantity, item.state),
                        *(item.shipped, item.delivered, item.backordered),
                        *(item.promised_at, item.follow_up_order_id, sorted(item.told)),
                    )
                    for item in order.items
                ],
            )
            for order in row.orders
        ],
        "viewed": [(view.at, view.product_id) for view in row.viewed],
        "consent": {key: (word.at, word.status) for key, word in row.consent.items()},
        "timers": {timer: due for timer, due in row.timers.items() if _is_known(timer)},
        "browse": row.browse_fired,
    }


def _expected_facts(life: Life) -> dict[str, Any]:
    person, watch = life.person, life.watch
    return {
        "seen": (person.first_seen, person.last_seen, person.last_event_id),
        "sessions": person.sessions,
        "acts": dict(person.acts_by_day),
        "carts": [
            (
                cart.cart_id,
                cart.opened_at,
                cart.last_at,
                cart.stage,
                cart.announced,
                round(cart.value, 4),
                {which: (what[0], what[1]) for which, what in cart.items.items()},
            )
            for cart in person.carts
        ],
        "orders": [
            (
                order.order_id,
                order.placed_at,
                order.event_id,
                order.total,
                order.refunded,
                order.state,
                order.follows,
                [
                    (
                        *(line.item_id, line.product_id, line.ordered, line.state),
                        *(line.shipped, line.came, line.short),
                        *(line.promised, line.follow_up, sorted(line.told)),
                    )
                    for line in order.lines
                ],
            )
            for order in person.book.orders
        ],
        "viewed": person.viewed,
        "consent": person.consent,
        "timers": watch.timers,
        "browse": watch.browse_fired,
    }


def _purchases(row: Customer) -> tuple[Any, ...]:
    bought = row.purchases
    return (
        bought.count,
        bought.first_at,
        bought.last_at,
        bought.gaps,
        _near(bought.value),
        _near(bought.gap_mean),
    )


def _expected_purchases(life: Life) -> tuple[Any, ...]:
    book, times = life.person.book, sorted(life.person.book.purchases)
    days = sorted({at // DAY for at in times})
    gaps = max(0, len(days) - 1)
    mean = (days[-1] - days[0]) / gaps if gaps else 0.0
    ends = (times[0], times[-1]) if times else (None, None)
    return (len(times), *ends, gaps, _near(book.value), _near(mean))


def _near(value: float) -> Any:
    return pytest.approx(value, abs=1e-3)


def _assert_seen(row: Customer, life: Life) -> None:
    """The window holds only what was applied, and all of it that could still come as punctual."""
    for touchpoint, window in life.window.items():
        applied = {_hash(event_id): at for event_id, at in life.applied[touchpoint].items()}
        kept = row.seen.get(touchpoint, {})
        assert kept.items() <= applied.items()
        assert kept.keys() == {_hash(event_id) for event_id, _ in window}


def _is_known(timer: str) -> bool:
    return not timer.startswith(("label:", "churn_risk:", "held:churn_risk"))


def _hash(event_id: str) -> int:
    return int.from_bytes(blake2b(event_id.encode(), digest_size=8).digest())


def _letter(record: Record) -> Letter:
    letter = record.json
    origin = letter["origin"]
    return Letter(origin["topic"], origin["partition"], origin["offset"], letter["reason"])


def _said(decision: dict[str, Any]) -> Said:
    about = f"{decision['business_key']['kind']}:{decision['business_key']['id']}"
    fired = decision["outcome"] == "fired"
    return Said(
        decision["customer_key"],
        decision["trigger"],
        about,
        ms(decision["at"]) or 0,
        decision["outcome"],
        "" if fired else decision["reason_code"],
    )


def _called_back(cancelled: dict[str, Any]) -> tuple[str, str, int, str]:
    return (
        cancelled["customer_key"],
        cancelled["trigger"],
        ms(cancelled["at"]) or 0,
        cancelled["reason"],
    )


def _type(record: Record) -> str:
    return dict(record.headers)["ce_type"].decode()
