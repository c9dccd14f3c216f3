"""What all workers of a deployment must agree on: how they tell time, and which touchpoints they read."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from confluent_kafka import KafkaError, KafkaException, Producer
from pydantic import TypeAdapter, ValidationError

from schemas.topics import REFERENCE
from streams.settings import Settings

DEPLOYMENT_PREFIX = "deployment/"
WRITE_SECONDS = 10.0
WAY_OUT = (
    "give this worker the settings of the others; or, to change the deployment, stop all its workers and run "
    "`pulpero topics redefine` with the new settings"
)


class DeploymentDiffers(Exception):
    """This worker's settings are not those of the deployment's other workers."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """As written in the `reference` topic under `deployment/<app id>`."""

    time: Literal["live", "events"]
    touchpoints: frozenset[str]

    def differences(self, recorded: "Deployment") -> list[str]:
        """One line for everything in which this worker would do harm among those that wrote `recorded`.

        More touchpoints than recorded do none: a task that comes here reads them from their beginning.
        """
        found = []
        if self.time != recorded.time:
            found.append(f"PULPERO_TIME is {self.time} here, the deployment's is {recorded.time}")
        if missing := recorded.touchpoints - self.touchpoints:
            names = ", ".join(sorted(missing))
            found.append(f"the deployment reads {names}, which PULPERO_TOUCHPOINTS does not name here")
        return [*found, f"way out: {WAY_OUT}"] if found else []

    def to_json(self) -> bytes:
        """The same deployment gives the same bytes."""
        return json.dumps({"time": self.time, "touchpoints": sorted(self.touchpoints)}).encode()


_deployment = TypeAdapter(Deployment)


def read_deployment(value: bytes) -> Deployment | None:
    """The deployment of a record's value; None if it is none."""
    try:
        return _deployment.validate_json(value)
    except ValidationError:
        return None


def deployment_of(settings: Settings, touchpoints: Iterable[str]) -> Deployment:
    """The deployment as this process's settings have it; `touchpoints` are the names of all that it knows."""
    return Deployment(settings.time, frozenset(touchpoints))


def write_deployment(settings: Settings, deployment: Deployment) -> None:
    """Write it down for all workers. Blocks; raises KafkaException."""
    failures: list[KafkaError] = []
    producer = Producer(
        {
            "bootstrap.servers": settings.bootstrap,
            "message.timeout.ms": int(WRITE_SECONDS * 1000),
            "log_level": 0,
        }
    )
    producer.produce(
        REFERENCE,
        key=f"{DEPLOYMENT_PREFIX}{settings.app_id}".encode(),
        value=deployment.to_json(),
        partition=0,
        on_delivery=lambda error, _: failures.append(error) if error is not None else None,
    )
    if producer.flush(WRITE_SECONDS + 1):
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "the deployment cannot be written down"))
    if failures:
        raise KafkaException(failures[0])
