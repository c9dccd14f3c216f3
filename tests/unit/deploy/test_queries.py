"""Every query of the dashboard and of the alerts names metrics of the catalogue, by labels that they have."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.metrics import Metric, catalogue
from tests.unit.deploy.promql import labels_of, metrics_of

DEPLOY = Path(__file__).parents[3] / "deploy"
SERIES: dict[str, Metric] = {name: metric for metric in catalogue() for name in metric.series}
OF_PROMETHEUS = {"up"}


def panels() -> Iterator[dict[str, Any]]:
    dashboard = json.loads((DEPLOY / "grafana" / "dashboards" / "pulpero.json").read_text())
    return (panel for panel in dashboard["panels"] if panel["type"] != "row")


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard_queries() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


QUERIES = dashboard_queries() + [alert["expr"] for alert in alerts()]


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_names_series_that_exist(query: str) -> None:
    names = metrics_of(query)
    assert names
    assert names <= SERIES.keys() | OF_PROMETHEUS


@pytest.mark.parametrize("query", [each for each in QUERIES if not metrics_of(each) & OF_PROMETHEUS])
def test_a_query_uses_labels_that_its_metrics_have(query: str) -> None:
    labels = labels_of(query) - {"le"}
    assert all(labels <= set(SERIES[name].labels) for name in metrics_of(query))
    assert ("le" in labels_of(query)) == ("_bucket" in query)


@pytest.mark.parametrize("query", QUERIES)
def test_a_counter_is_never_shown_as_it_stands(query: str) -> None:
    counters = [name for name in metrics_of(query) if name in SERIES and SERIES[name].kind != "gauge"]
    balance = "PulperoBooksDoNotBalance"
    if query != next(alert["expr"] for alert in alerts() if alert["alert"] == balance):
        assert all(f"rate({name}" in query or f"increase({name}" in query for name in counters)


@pytest.mark.parametrize(
    "query", ["sum(rate(pulpero_consumed[5m]))", "pulpero_redy == 0", "pulpero_batch_seconds > 1"]
)
def test_a_misspelt_metric_would_be_found(query: str) -> None:
    assert not metrics_of(query) <= SERIES.keys()


def test_the_dashboard_shows_every_metric() -> None:
    shown = {SERIES[name].name for query in dashboard_queries() for name in metrics_of(query)}
    assert {metric.name for metric in catalogue()} == shown


def test_panels_do_not_overlap_and_have_titles_of_their_own() -> None:
    taken: set[tuple[int, int]] = set()
    titles = [panel["title"] for panel in panels()]
    assert len(set(titles)) == len(titles)
    for panel in panels():
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken
        taken |= cells


def test_every_alert_has_a_section_of_the_runbook_and_every_section_an_alert() -> None:
    sections = [
        line[3:] for line in (DEPLOY / "runbook.md").read_text().splitlines() if line.startswith("## ")
    ]
    names = [alert["alert"] for alert in alerts()]
    assert len(names) >= 5
    assert sections == names
    for alert in alerts():
        assert alert["annotations"]["runbook"] == f"runbook.md#{alert['alert'].lower()}"
        assert alert["annotations"]["summary"].endswith(".")
        assert alert["labels"]["severity"] in ("page", "ticket")
