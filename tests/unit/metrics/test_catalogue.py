"""The catalogue says of every metric what it means and what to do."""

import re
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from streams.cli.metrics import page
from streams.metrics import Metrics, ProjectorMetrics, catalogue

ROOT = Path(__file__).parents[3]


def test_every_metric_tells_its_meaning_and_its_remedy() -> None:
    for metric in catalogue():
        assert re.fullmatch(r"pulpero(_[a-z]+)+", metric.name)
        assert metric.meaning.endswith(".")
        assert metric.remedy.endswith(".")


def test_names_are_unique_and_counters_end_in_total() -> None:
    entries = catalogue()
    assert len({metric.name for metric in entries}) == len(entries)
    for metric in entries:
        assert (metric.kind == "counter") == metric.name.endswith("_total")


def test_the_catalogue_is_what_the_registry_exposes() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    ProjectorMetrics(registry)
    exposed = {
        family.name + ("_total" if family.type == "counter" else ""): family.type
        for family in registry.collect()
    }
    assert exposed == {metric.name: metric.kind for metric in catalogue()}


def test_labels_are_those_of_the_catalogue() -> None:
    metrics = Metrics(CollectorRegistry())
    labels = {metric.name.removesuffix("_total"): metric.labels for metric in metrics.catalogue}
    made = [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]
    assert {each._name: each._labelnames for each in made} == labels


def test_the_page_of_the_documentation_is_current() -> None:
    assert (ROOT / "deploy" / "metrics.md").read_text() == page()
