"""What compose.yaml may say: the part of the Compose Specification that this project uses, and no more."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Time = Annotated[str, StringConstraints(pattern=r"^(\d+(us|ms|s|m|h))+$")]
LoopbackPort = Annotated[str, StringConstraints(pattern=r"^127\.0\.0\.1:\d{2,5}:\d{2,5}$")]
Mount = Annotated[str, StringConstraints(pattern=r"^[./\w-]+:/[\w./-]+(:ro)?$")]
PinnedImage = Annotated[str, StringConstraints(pattern=r"^[\w./-]+:v?\d+\.\d+[\w.-]*$")]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]
NonRoot = Annotated[str, StringConstraints(pattern=r"^([1-9]\d*|appuser|redis|nobody)$")]


class Part(BaseModel):
    """A part of the file: a field that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Build(Part):
    context: str
    dockerfile: str


class Healthcheck(Part):
    test: list[str] = Field(min_length=2)
    interval: Time
    timeout: Time
    retries: int
    start_period: Time | None = None


class Dependency(Part):
    condition: Literal["service_started", "service_healthy", "service_completed_successfully"]


class Service(Part):
    image: PinnedImage
    build: Build | None = None
    user: NonRoot
    command: list[str] | None = None
    environment: dict[Variable, str] = {}
    ports: list[LoopbackPort] = []
    volumes: list[Mount] = []
    tmpfs: list[str] = []
    read_only: bool = False
    init: bool = False
    cap_drop: list[Literal["ALL"]] = []
    security_opt: list[Literal["no-new-privileges:true"]]
    depends_on: dict[str, Dependency] = {}
    healthcheck: Healthcheck | None = None
    stop_grace_period: Time | None = None
    restart: Literal["no", "unless-stopped"]


class Compose(BaseModel):
    """The file; `x-…` fields are templates."""

    model_config = ConfigDict(strict=True, extra="ignore")

    name: str
    services: dict[str, Service]
    volumes: dict[str, dict[str, str]]
