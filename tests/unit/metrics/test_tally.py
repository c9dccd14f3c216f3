"""A batch's counts reach Prometheus once, after its commit, or never."""

import pytest
from prometheus_client import CollectorRegistry

from streams.metrics import Metrics, Tally
from streams.metrics import worker as worker_metrics


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def tally(registry: CollectorRegistry) -> Tally:
    return Tally(Metrics(registry))


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"pulpero_{name}", labels)


def test_counts_show_only_after_a_flush_and_only_once(registry: CollectorRegistry, tally: Tally) -> None:
    tally.feeds["web", "shop"].consumed += 2
    assert value(registry, "consumed_total", touchpoint="web", source="shop") is None
    tally.flush(1_000)
    tally.flush(2_000)
    tally.feeds["web", "shop"].consumed += 3
    tally.flush(3_000)
    assert value(registry, "consumed_total", touchpoint="web", source="shop") == 5


def test_every_kind_of_count_reaches_its_own_metric(registry: CollectorRegistry, tally: Tally) -> None:
    feed = {"touchpoint": "web", "source": "shop"}
    tally.feeds["web", "shop"].applied = 1
    tally.feeds["web", "shop"].duplicate = 2
    tally.feeds["web", "shop"].late = 3
    tally.dead["web", None, "truncated_json"] = 4
    tally.unknown_fields["shop"] = 5
    tally.actions["abandonment.cart", "email"] = 6
    tally.cancelled_actions["abandonment.cart", "ordered"] = 7
    tally.suppressed["churn_risk", "no_consent"] = 8
    tally.deferred["churn_risk", "cap"] = 9
    tally.examples["churn"] = 10
    tally.flush(0)
    assert value(registry, "applied_total", **feed) == 1
    assert value(registry, "duplicate_total", **feed) == 2
    assert value(registry, "late_total", **feed) == 3
    assert value(registry, "dead_total", touchpoint="web", source="unknown", reason="truncated_json") == 4
    assert value(registry, "unknown_fields_total", source="shop") == 5
    assert value(registry, "actions_total", trigger="abandonment.cart", channel="email") == 6
    assert value(registry, "cancelled_actions_total", trigger="abandonment.cart", reason="ordered") == 7
    assert value(registry, "suppressed_total", trigger="churn_risk", reason="no_consent") == 8
    assert value(registry, "deferred_total", trigger="churn_risk", reason="cap") == 9
    assert value(registry, "examples_total", model="churn") == 10


def test_a_failed_batch_leaves_no_trace(registry: CollectorRegistry, tally: Tally) -> None:
    tally.feeds["web", "shop"].consumed += 1
    tally.dead["web", "shop", "late"] += 1
    tally.actions["churn_risk", "email"] += 1
    tally.acted_on.append(1)
    tally.timer_delays.append(1)
    tally.feeds["web", "shop"].newest = 1
    tally.discard()
    tally.flush(1_000)
    samples = [sample for family in registry.collect() for sample in family.samples]
    assert all(sample.value == 0 for sample in samples if not sample.name.endswith("_created"))


def test_latencies_are_counted_from_append_to_visible(registry: CollectorRegistry, tally: Tally) -> None:
    tally.acted_on += [1_000, 1_900]
    tally.timer_delays += [250]
    tally.flush(2_000)
    assert value(registry, "event_to_action_seconds_count") == 2
    assert value(registry, "event_to_action_seconds_sum") == pytest.approx(1.1)
    assert value(registry, "event_to_action_seconds_bucket", le="0.1") == 1
    assert value(registry, "timer_delay_seconds_sum") == pytest.approx(0.25)


def test_sources_beyond_the_bound_are_counted_as_other(registry: CollectorRegistry, tally: Tally) -> None:
    for number in range(worker_metrics.MAX_SOURCES + 5):
        tally.feeds["web", f"source-{number}"].consumed += 1
    tally.flush(0)
    tally.feeds["web", "source-0"].consumed += 1
    tally.feeds["web", "one more"].consumed += 1
    tally.flush(0)
    families = {family.name: family for family in registry.collect()}
    sources = {sample.labels["source"] for sample in families["pulpero_consumed"].samples}
    assert len(sources) == worker_metrics.MAX_SOURCES + 1
    assert value(registry, "consumed_total", touchpoint="web", source="source-0") == 2
    assert value(registry, "consumed_total", touchpoint="web", source="other") == 6


def test_a_feed_ages_without_events(
    registry: CollectorRegistry, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    tally.feeds["web", "shop"].newest = 10_000
    tally.flush(10_000)
    tally.feeds["web", "shop"].newest = 8_000
    tally.flush(10_000)
    monkeypatch.setattr("streams.metrics.worker.time.time", lambda: 70.0)
    assert value(registry, "feed_freshness_seconds", touchpoint="web", source="shop") == 60
