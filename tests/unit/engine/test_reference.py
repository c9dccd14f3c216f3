"""What the `reference` topic tells a worker: pauses, and whether it is one of its deployment."""

import asyncio
import logging

import pytest
from prometheus_client import CollectorRegistry

from schemas.policy import Policy
from streams.engine import reference
from streams.engine.deployment import Deployment, DeploymentDiffers, read_deployment
from streams.engine.reference import Reference
from streams.engine.versions import Versions
from streams.metrics import Metrics
from streams.settings import Settings

OURS = Deployment("live", frozenset({"web", "orders"}))
MORE = Deployment("live", OURS.touchpoints | {"store_visits"})
LESS = Deployment("live", frozenset({"web"}))
OTHER = Deployment("live", frozenset({"web", "store_visits"}))
REPLAYED = Deployment("events", OURS.touchpoints)
KEY = b"deployment/pulpero"


class Follows(Reference):
    """One that is read from nothing; `written` is what it wrote down."""

    def __init__(self) -> None:
        self.versions = Versions(Policy(version="t"), "t", {})
        super().__init__(Settings(), self.versions, Metrics(CollectorRegistry()), OURS)
        self.written: list[Deployment] = []


@pytest.fixture
def follows(monkeypatch: pytest.MonkeyPatch) -> Follows:
    made = Follows()
    monkeypatch.setattr(reference, "write_deployment", lambda _, deployment: made.written.append(deployment))
    return made


def _agree(follows: Follows, *recorded: bytes | None) -> list[str]:
    for offset, value in enumerate(recorded):
        follows.take(KEY, value, offset)
    differences = follows.agree()
    assert follows.written == [], "a worker that never worked binds nobody"
    if not differences:
        asyncio.run(follows.write_down())
    return differences


def test_a_deployment_is_read_as_it_was_written() -> None:
    assert read_deployment(MORE.to_json()) == MORE
    assert MORE.to_json() == Deployment("live", frozenset(sorted(MORE.touchpoints, reverse=True))).to_json()
    assert read_deployment(b'{"time": "lunar"}') is None


@pytest.mark.parametrize("recorded", [(), (OURS.to_json(), None), (b"junk",)])
def test_the_first_worker_writes_down_what_holds(
    follows: Follows, recorded: tuple[bytes | None, ...]
) -> None:
    assert _agree(follows, *recorded) == []
    assert follows.written == [OURS]


def test_one_more_like_the_others_writes_nothing(follows: Follows) -> None:
    assert _agree(follows, OURS.to_json()) == []
    assert follows.written == []


def test_one_that_adds_touchpoints_says_so_to_all(follows: Follows) -> None:
    assert _agree(follows, LESS.to_json()) == []
    assert follows.written == [OURS]


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        (REPLAYED, "PULPERO_TIME is live here, the deployment's is events"),
        (MORE, "the deployment reads store_visits, which PULPERO_TOUCHPOINTS does not name here"),
        (OTHER, "the deployment reads store_visits, which PULPERO_TOUCHPOINTS does not name here"),
    ],
)
def test_one_that_would_do_harm_is_refused_with_the_way_out(
    follows: Follows, recorded: Deployment, said: str
) -> None:
    first, way_out = _agree(follows, recorded.to_json())
    assert first == said
    assert way_out.startswith("way out: give this worker the settings of the others; or")
    assert follows.written == []


@pytest.mark.parametrize(
    ("recorded", "said"), [(REPLAYED, "time by events"), (LESS, "orders"), (OTHER, "orders")]
)
def test_a_deployment_changed_under_a_worker_ends_it(
    follows: Follows, recorded: Deployment, said: str
) -> None:
    _agree(follows)
    follows.take(KEY, OURS.to_json(), 7)
    with pytest.raises(DeploymentDiffers, match=said):
        follows.take(KEY, recorded.to_json(), 8)


def test_a_worker_runs_on_while_others_add_touchpoints(
    follows: Follows, caplog: pytest.LogCaptureFixture
) -> None:
    _agree(follows)
    with caplog.at_level(logging.WARNING):
        follows.take(KEY, MORE.to_json(), 8)
    assert caplog.messages == ["the deployment has new touchpoints; replace this worker"]


def test_other_deployments_are_none_of_its_business(follows: Follows) -> None:
    _agree(follows)
    follows.take(b"deployment/demo", REPLAYED.to_json(), 8)


def test_decisions_depend_on_pauses_and_releases_alone(follows: Follows) -> None:
    follows.take(b"pause/churn_risk", b"{}", 3)
    follows.take(KEY, OURS.to_json(), 4)
    assert follows.versions.paused == {"churn_risk"}
    assert follows.versions.reference_version == 4
    follows.take(b"pause/churn_risk", None, 9)
    assert follows.versions.paused == frozenset()
    assert follows.versions.reference_version == 10
    follows.take(b"release/churn_risk", b"{}", 11)
    follows.take(b"release/*", b"{}", 12)
    before = follows.versions.released
    assert before == {"churn_risk": 12, "*": 13}
    assert follows.versions.reference_version == 13
    follows.take(b"release/*", b"{}", 20)
    assert follows.versions.released == {"churn_risk": 12, "*": 21}
    assert before == {"churn_risk": 12, "*": 13}
    assert follows.versions.paused == frozenset()
