import sys

import pytest

from tests.bench.figures import Failed
from tests.bench.peers import events
from tests.bench.peers.job import Job
from tests.bench.process import answer


def test_a_system_that_hangs_is_killed_and_its_last_words_are_told() -> None:
    hanging = "import sys, time; print('stuck at 7', file=sys.stderr, flush=True); time.sleep(600)"
    with pytest.raises(Failed, match=r"no answer in 0\.5 s; (.|\n)*stuck at 7"):
        answer([sys.executable, "-c", hanging], limit_seconds=0.5)


def test_a_system_that_dies_is_told_apart_from_one_that_hangs() -> None:
    with pytest.raises(Failed, match=r"ended without an answer(.|\n)*out of luck"):
        answer([sys.executable, "-c", "raise SystemExit('out of luck')"])


def test_a_system_is_over_when_it_has_answered() -> None:
    answering = "import time; print('noise'); print('{\"events\": 3}', flush=True); time.sleep(600)"
    assert answer([sys.executable, "-c", answering]) == {"events": 3}


def test_every_event_of_the_peers_job_is_valid_and_has_its_size() -> None:
    made = list(events.events(3_000))
    assert {len(value) for _, value in made} == {events.BYTES}
    job = Job(len(made))
    assert [job.read(value).customer_id.encode() for _, value in made] == [key for key, _ in made]


def test_each_fifth_event_of_a_customer_is_learned(capfd: pytest.CaptureFixture[str]) -> None:
    job = Job(11)
    (_, value) = next(events.events(1))
    row = None
    for _ in range(11):
        row = job.take(row, job.read(value))
    assert job.is_done
    job.report()
    assert '"learned": 2' in capfd.readouterr().out
