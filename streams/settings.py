"""Where this deployment's Kafka, Redis and policy are, and how it tells time. The only reader of the environment."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every setting, each from `PULPERO_<NAME>`; the defaults are those of the embedded stack."""

    model_config = SettingsConfigDict(env_prefix="PULPERO_", frozen=True, extra="ignore")

    app_id: str = Field(default="pulpero", pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")
    bootstrap: str = "127.0.0.1:19092"
    redis_url: str = "redis://127.0.0.1:16379/0"
    policy: Path | None = None
    """The policy's file; None for the built-in defaults."""
    partitions: int = Field(default=12, ge=1, le=1024)
    """Number of tasks: the partition count of every touchpoint topic. Fixed when the topics are made."""
    replication: int = Field(default=1, ge=1, le=9)
    time: Literal["live", "events"] = "live"
    """`live`: the wall clock may move timers of a caught-up task. `events`: only events do."""
    touchpoints: tuple[str, ...] = ()
    """Import paths of the shop's own touchpoint modules."""
    agents: tuple[str, ...] = ()
    """Import paths of the shop's own modules with agents: each has `register(app)`."""
    instance_id: str | None = None
    """Kafka's static membership: a worker that returns under it within the session keeps its tasks."""
    session_timeout_ms: int = Field(default=6_000, ge=1_000, le=300_000)
    metrics_port: int = Field(default=9108, ge=0, le=65_535)
    """Port of /metrics and /ready on `metrics_host`; 0 for any free one."""
    metrics_host: str = "127.0.0.1"
    batch_records: int = Field(default=8_000, ge=1, le=100_000)
    """At most so many records a commit."""
    queue_bytes: int = Field(default=32 << 20, ge=1 << 16)
    """Memory bound of one task's queues."""
    hot_rows: int = Field(default=100_000, ge=0)
    """Rows a worker keeps unpacked, in equal shares for its tasks."""
    max_record_bytes: int = Field(default=262_144, ge=1_024, le=900_000)
    max_row_bytes: int = Field(default=524_288, ge=1_024, le=900_000)
    idle_ms: int | None = Field(default=None, ge=0)
    """How long the merge waits for a topic read to its end; None: 0 live, 5,000 with `time: events`.

    With `time: events` that is a precaution: whoever writes events tells every partition the time, in-band, so
    that no topic is ever waited for longer than that takes.
    """
    watchdog_seconds: float = Field(default=60.0, gt=0)
    """Without progress of a fetch, opening, merge or commit for so long though Kafka answers, the process ends."""

    @property
    def idle(self) -> int:
        """`idle_ms`, or the default of this deployment's way to tell time."""
        if self.idle_ms is not None:
            return self.idle_ms
        return 0 if self.time == "live" else 5_000
