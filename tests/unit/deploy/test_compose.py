"""The compose file, as far as it can be held to its word without a container engine."""

from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from streams.cli.commands import build_cli
from streams.local.kafka import VERSION as KAFKA_VERSION
from streams.settings import Settings
from tests.unit.deploy.compose_schema import Compose, Service

DEPLOY = Path(__file__).parents[3] / "deploy"


@pytest.fixture(scope="module")
def compose() -> Compose:
    return Compose.model_validate(yaml.safe_load((DEPLOY / "compose.yaml").read_text()))


def ours(compose: Compose) -> dict[str, Service]:
    return {name: each for name, each in compose.services.items() if each.build is not None}


def parse(command: list[str]) -> None:
    """Have the command line parsed to its end, without running it."""
    at: Any = typer.main.get_command(build_cli())
    rest = list(command)
    while hasattr(at, "commands"):
        name = rest.pop(0)
        at = at.commands.get(name)
        assert at is not None, f"no command {name}"
    at.make_context(command[0], rest)


def test_what_must_be_there_is_there_and_is_watched(compose: Compose) -> None:
    assert compose.services.keys() == {
        "kafka",
        "redis",
        "topics",
        "worker",
        "projector",
        "prometheus",
        "grafana",
    }
    unwatched = {name for name, each in compose.services.items() if each.healthcheck is None}
    assert unwatched == {"topics"}


def test_every_command_of_ours_is_one_of_the_command_line(compose: Compose) -> None:
    services = ours(compose)
    assert services.keys() == {"topics", "worker", "projector"}
    for each in services.values():
        assert each.command is not None
        parse(each.command)


@pytest.mark.parametrize(
    ("nonsense", "complaint"),
    [
        (["serving", "walk"], "no command walk"),
        (["worker", "--jason"], "--jason"),
        (["serving", "run", "--metrics-port", "x"], "should be a valid integer"),
    ],
)
def test_a_command_that_is_none_would_be_found(nonsense: list[str], complaint: str) -> None:
    with pytest.raises(Exception, match=complaint):
        parse(nonsense)


def test_every_variable_of_ours_is_a_setting(compose: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    for each in ours(compose).values():
        for name, value in each.environment.items():
            assert name.removeprefix("PULPERO_").lower() in Settings.model_fields
            monkeypatch.setenv(name, value)
        Settings()


def test_dependencies_and_volumes_exist_and_healthy_ones_have_a_healthcheck(compose: Compose) -> None:
    for each in compose.services.values():
        for name, dependency in each.depends_on.items():
            if dependency.condition == "service_healthy":
                assert compose.services[name].healthcheck is not None
        for mount in each.volumes:
            source = mount.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in compose.volumes


def test_our_containers_cannot_write_to_their_image_or_gain_rights(compose: Compose) -> None:
    for each in ours(compose).values():
        assert each.read_only
        assert each.cap_drop == ["ALL"]


def test_the_broker_is_the_one_that_the_tests_run_on(compose: Compose) -> None:
    assert compose.services["kafka"].image == f"apache/kafka:{KAFKA_VERSION}"


def test_the_host_reaches_broker_and_redis_where_the_settings_look(compose: Compose) -> None:
    settings = Settings()
    assert compose.services["kafka"].ports == [f"{settings.bootstrap}:19092"]
    assert compose.services["redis"].ports[0].rsplit(":", 1)[0] in settings.redis_url


def test_a_redis_that_could_evict_would_be_no_copy(compose: Compose) -> None:
    command = compose.services["redis"].command
    assert command is not None
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"


def test_prometheus_looks_where_the_health_checks_do(compose: Compose) -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    for job in config["scrape_configs"]:
        (target,) = job["dns_sd_configs"]
        (service,) = target["names"]
        healthcheck = compose.services[service].healthcheck
        assert healthcheck is not None
        assert f":{target['port']}/ready" in " ".join(healthcheck.test)
