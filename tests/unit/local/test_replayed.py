from pathlib import Path

import pytest

from streams.local.adapters.adapter import NotReadable
from streams.local.replayed import Replayed, in_time_order, iso, millis, shifted
from streams.local.simulator.shopper import DAY
from streams.local.sources import demo, extent
from tests.unit.local.contract import assert_valid


def test_shifting_moves_every_time_and_keeps_every_gap() -> None:
    payload = {
        "event_id": "1",
        "event_time": "2026-01-01T00:00:00Z",
        "sent_at": None,
        "promised_at": "2026-01-03T01:00:00+01:00",
        "items": [{"product_id": "2026-01-01T00:00:00Z", "promised_at": "2026-01-04T00:00:00.500Z"}],
    }
    before = Replayed("orders", "c:1", millis("2026-01-01T00:00:00Z"), payload)
    after = shifted(before, DAY)
    assert iso(after.at) == "2026-01-02T00:00:00.000Z"
    assert after.payload == {
        "event_id": "1",
        "event_time": "2026-01-02T00:00:00.000Z",
        "sent_at": None,
        "promised_at": "2026-01-04T00:00:00.000Z",
        "items": [{"product_id": "2026-01-01T00:00:00Z", "promised_at": "2026-01-05T00:00:00.500Z"}],
    }
    assert before.payload["event_time"] == "2026-01-01T00:00:00Z"


def test_a_moment_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="no offset"):
        millis("2026-01-01T00:00:00")


def test_merging_keeps_time_order_and_ties_follow_the_sources() -> None:
    def at(*moments: int) -> list[Replayed]:
        return [Replayed("web", str(id(moments)), moment, {}) for moment in moments]

    one, two = at(1, 3, 3), at(0, 3, 9)
    assert list(in_time_order(iter(one), iter(two))) == [two[0], *one, *two[1:]]


def test_an_extent_tells_how_much_there_is_and_from_when_to_when() -> None:
    events = [Replayed(name, "c:1", at, {}) for name, at in (("web", 5), ("orders", 2), ("web", 7))]
    assert extent(events) == (3, 2, 7, frozenset({"web", "orders"}))
    with pytest.raises(NotReadable, match="no events"):
        extent([])


def test_the_demo_interleaves_real_purchases_with_simulated_visits_from_its_start() -> None:
    start = millis("2026-03-01T00:00:00Z")
    events, _ = demo(seed=1, start=start, customers=20)
    taken = [next(events) for _ in range(3_000)]
    assert_valid(taken)
    assert taken[0].at == start
    sources = [event.payload["source"] for event in taken]
    assert set(sources[:500]) == set(sources[-500:]) == {"uci-online-retail", "simulator"}
    assert len({(e.payload["source"], e.key) for e in taken}) == len({e.key for e in taken})


def test_the_shipped_purchases_say_their_source() -> None:
    note = Path("streams/local/data/SOURCE.md").read_text()
    assert "CC0" in note
