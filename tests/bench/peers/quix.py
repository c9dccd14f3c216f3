"""The peers' job in Quix Streams, as its guide would have it: state in RocksDB with a changelog, at least once."""

import sys
from typing import Any

from quixstreams import Application

from tests.bench.peers.job import Job


def run(bootstrap: str, topic: str, job: Job, name: str) -> None:
    """Read all, stop, which makes the last checkpoint, and report."""
    app = Application(
        broker_address=bootstrap,
        consumer_group=name,
        auto_offset_reset="earliest",
        state_dir="state",
        loglevel="WARNING",
    )

    def take(value: bytes, state: Any) -> None:
        state.set("row", job.take(state.get("row"), job.read(value)))
        if job.is_done:
            app.stop()

    source = app.topic(topic, key_deserializer="bytes", value_deserializer="bytes")
    app.dataframe(source).apply(take, stateful=True)
    app.run()
    job.report()


if __name__ == "__main__":
    bootstrap, topic, _, count, name = sys.argv[1:]
    run(bootstrap, topic, Job(int(count)), name)
