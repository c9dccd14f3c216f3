"""Metrics: the catalogue, the worker's, the projector's, and what a batch counts."""

from prometheus_client import CollectorRegistry

from streams.metrics.catalogue import PREFIX, Metric
from streams.metrics.projector import ProjectorMetrics
from streams.metrics.tally import Tally
from streams.metrics.worker import Metrics

__all__ = ["PREFIX", "Metric", "Metrics", "ProjectorMetrics", "Tally", "catalogue"]


def catalogue() -> tuple[Metric, ...]:
    """Every metric of every process, in the order of the documentation."""
    registry = CollectorRegistry()
    return (*Metrics(registry).catalogue, *ProjectorMetrics(registry).catalogue)
