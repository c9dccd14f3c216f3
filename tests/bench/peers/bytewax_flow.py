"""The peers' job in Bytewax: one worker, recovery on (state and offsets in SQLite at each epoch, 10 s by default)."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax._bytewax import cli_main
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir

from tests.bench.peers.job import Event, Job, Row

EPOCH = timedelta(seconds=10)


class _Nowhere(StatelessSinkPartition):  # type: ignore[misc]
    def write_batch(self, items: list[Any]) -> None:
        """A flow needs a sink; the job has no output but its state."""


class _Sink(DynamicSink):  # type: ignore[misc]
    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Nowhere:
        return _Nowhere()


def build(bootstrap: str, topic: str, job: Job) -> Dataflow:
    """The flow; it ends with the topic."""
    flow = Dataflow("peers")
    records = op.input("records", flow, KafkaSource([bootstrap], [topic], tail=False))

    def keyed(record: Any) -> tuple[str, Event]:
        event = job.read(record.value)
        return event.customer_id, event

    def take(row: Row | None, event: Event) -> tuple[Row, None]:
        return job.take(row, event), None

    rows = op.stateful_map("rows", op.map("events", records, keyed), take)
    op.output("nowhere", rows, _Sink())
    return flow


if __name__ == "__main__":
    bootstrap, topic, _, count, _ = sys.argv[1:]
    folder = Path("recovery")
    folder.mkdir()
    init_db_dir(folder, 1)
    job = Job(int(count))
    cli_main(build(bootstrap, topic, job), epoch_interval=EPOCH, recovery_config=RecoveryConfig(str(folder)))
    job.report()
