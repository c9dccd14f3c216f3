"""The rows that were written, held against what the oracle knows of each customer."""

from hashlib import blake2b
from typing import Any

from schemas.customer import Customer, unpack
from tests.broker.reading import rows
from tests.faults.comparing import Written, near
from tests.faults.oracle import Expected, Life
from tests.faults.oracle_news import Said, Scored
from tests.faults.oracle_orders import DAY


def assert_rows(written: Written, expected: Expected) -> None:
    """Every customer's row, field by field, as far as the oracle goes."""
    found = {key.decode(): unpack(packed) for key, packed in rows(written.changelog).items()}
    assert found.keys() == expected.lives.keys()
    for key, row in found.items():
        life = expected.lives[key]
        assert _facts(row, written) == _expected_facts(life), key
        assert _purchases(row) == _expected_purchases(life), key
        assert _pending(row, written.said) == _expected_pending(life), key
        _assert_seen(row, life)


def _facts(row: Customer, written: Written) -> dict[str, Any]:
    by_day, said = row.counts.get("events/1d", {}), written.said
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
        "timers": {_timer(timer, said): due for timer, due in row.timers.items()},
        "browse": row.browse_fired,
        "churn": (row.churn.lapsed, row.churn.since),
        "contacts": [
            (
                *(
                    written.names[each.action_id],
                    each.trigger,
                    each.business_key,
                    each.channel,
                    each.category,
                ),
                *(each.at, each.expires_at, each.status, each.status_at),
            )
            for each in row.contacts
        ],
        "held": sorted(
            (
                each.trigger,
                each.business_key,
                each.reason,
                each.since,
                each.expires_at,
                said[each.decision_id],
            )
            for each in row.held
        ),
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
        "timers": {
            ("label", watch.labels.pending[timer].said) if timer in watch.labels.pending else timer: due
            for timer, due in watch.timers.items()
        },
        "browse": watch.browse_fired,
        "churn": (watch.silence.lapsed, watch.silence.since),
        "contacts": [
            (
                *(each.name, each.proposal.trigger, each.proposal.about, each.channel, each.category),
                *(each.said.at, each.proposal.expires_at, each.status, each.status_at),
            )
            for each in watch.ledger.contacts
        ],
        "held": sorted(
            (*each.proposal[:2], "late_item", each.since, each.proposal.expires_at, each.said)
            for each in watch.held.values()
        ),
    }


def _timer(timer: str, said: dict[str, Said]) -> Any:
    family, _, rest = timer.partition(":")
    return (family, said[rest]) if family == "label" else timer


def _pending(row: Customer, said: dict[str, Said]) -> list[Any]:
    return [
        (said[each.decision_id], each.due, Scored(each.model, each.model_version, each.p, each.features))
        for each in row.pending
    ]


def _expected_pending(life: Life) -> list[Any]:
    return [
        (said, due, (scored.model, scored.version, near(scored.p), near(scored.shown)))
        for said, scored, due in life.watch.labels.pending.values()
    ]


def _purchases(row: Customer) -> tuple[Any, ...]:
    bought = row.purchases
    return (
        bought.count,
        bought.first_at,
        bought.last_at,
        bought.gaps,
        near(bought.value),
        near(bought.gap_mean),
    )


def _expected_purchases(life: Life) -> tuple[Any, ...]:
    book, times = life.person.book, sorted(life.person.book.purchases)
    days = sorted({at // DAY for at in times})
    gaps = max(0, len(days) - 1)
    mean = (days[-1] - days[0]) / gaps if gaps else 0.0
    ends = (times[0], times[-1]) if times else (None, None)
    return (len(times), *ends, gaps, near(book.value), near(mean))


def _assert_seen(row: Customer, life: Life) -> None:
    """The window holds only what was applied, and all of it that could still come as punctual."""
    for touchpoint, window in life.window.items():
        applied = {_hash(event_id): at for event_id, at in life.applied[touchpoint].items()}
        kept = row.seen.get(touchpoint, {})
        assert kept.items() <= applied.items()
        assert kept.keys() == {_hash(event_id) for event_id, _ in window}


def _hash(event_id: str) -> int:
    return int.from_bytes(blake2b(event_id.encode(), digest_size=8).digest())
