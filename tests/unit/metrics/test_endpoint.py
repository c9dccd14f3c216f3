"""What operators' machines ask of a process by HTTP."""

from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry, Gauge

from streams.metrics_endpoint import Endpoint, serve


class Readiness:
    is_ready = False


@pytest.fixture
def readiness() -> Readiness:
    return Readiness()


@pytest.fixture
def endpoint(readiness: Readiness) -> Iterator[Endpoint]:
    registry = CollectorRegistry()
    Gauge("pulpero_answer", "The answer.", registry=registry).set(42)
    running = serve(registry, "127.0.0.1", 0, lambda: readiness.is_ready)
    yield running
    running.close()


def get(endpoint: Endpoint, path: str) -> tuple[int, str]:
    try:
        with urlopen(f"http://127.0.0.1:{endpoint.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_are_those_of_the_registry(endpoint: Endpoint) -> None:
    status, text = get(endpoint, "/metrics")
    assert status == 200
    assert "pulpero_answer 42.0" in text


def test_ready_follows_the_process_and_live_does_not(endpoint: Endpoint, readiness: Readiness) -> None:
    assert get(endpoint, "/ready")[0] == 503
    assert get(endpoint, "/live")[0] == 200
    readiness.is_ready = True
    assert get(endpoint, "/ready")[0] == 200


def test_other_paths_are_not_found(endpoint: Endpoint) -> None:
    assert get(endpoint, "/rows")[0] == 404


def test_a_closed_endpoint_frees_its_port() -> None:
    first = serve(CollectorRegistry(), "127.0.0.1", 0, lambda: True)
    first.close()
    second = serve(CollectorRegistry(), "127.0.0.1", first.port, lambda: True)
    assert second.port == first.port
    second.close()
