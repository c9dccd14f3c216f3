import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.local import kafka
from streams.local.program import Program, StackError, free_port, require_free
from streams.local.stack import up
from streams.settings import Settings

SLEEPER = [sys.executable, "-I", "-S", "-c", "import time; print('awake', flush=True); time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-I",
    "-S",
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('awake', flush=True)\n"
    "while True: time.sleep(600)",
]


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    program = Program("sleeper", tmp_path)
    yield program
    program.stop()


def run(program: Program, command: list[str], *, tethered: bool) -> int:
    program.start(command, tethered=tethered, environment={})
    program.await_ready(lambda: "awake" in program.log_tail(), timeout_seconds=20)
    pid = program.pid()
    assert pid is not None
    return pid


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("tethered", [True, False])
def test_a_program_runs_until_it_is_stopped(program: Program, tethered: bool) -> None:
    assert not program.is_alive()
    assert not program.stop()
    run(program, SLEEPER, tethered=tethered)
    assert Program("sleeper", program.folder).is_alive()
    assert program.stop()
    assert not program.is_alive()
    assert program.pid() is None


def test_a_program_is_not_started_twice_in_one_folder(program: Program) -> None:
    run(program, SLEEPER, tethered=True)
    with pytest.raises(StackError, match="runs already"):
        Program("sleeper", program.folder).start(SLEEPER, tethered=True, environment={})


def test_a_program_that_does_not_listen_is_killed(program: Program) -> None:
    run(program, STUBBORN, tethered=True)
    assert program.stop(timeout_seconds=0.2)
    assert not program.is_alive()


def test_a_pid_whose_lock_nobody_holds_is_never_signalled(program: Program) -> None:
    bystander = subprocess.Popen(SLEEPER, stdout=subprocess.DEVNULL)
    try:
        (program.folder / "sleeper.lock").write_text(str(bystander.pid))
        assert not program.stop()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_program_that_ends_at_its_start_is_told_with_its_last_words(program: Program) -> None:
    program.start([sys.executable, "-c", "import sys; sys.exit('no disk')"], tethered=True, environment={})
    with pytest.raises(StackError, match=r"(?s)ended at its start.*no disk"):
        program.await_ready(lambda: False, timeout_seconds=20)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_a_tethered_program_dies_with_its_parent_and_a_detached_one_does_not(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from streams.local.program import Program\n"
        "for mode in ('tethered', 'detached'):\n"
        f"    program = Program(mode, Path({str(tmp_path)!r}))\n"
        f"    program.start({SLEEPER!r}, tethered=mode == 'tethered', environment={{}})\n"
        "import os; os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env=os.environ | {"PYTHONPATH": "."})
    tethered, detached = Program("tethered", tmp_path), Program("detached", tmp_path)
    try:
        detached.await_ready(lambda: not tethered.is_alive(), timeout_seconds=20)
        assert detached.is_alive()
    finally:
        detached.stop()


def test_a_port_that_somebody_uses_is_refused_and_a_free_one_is_not() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StackError, match="taken by another program"):
            require_free(taken.getsockname()[1], "Kafka")
    require_free(free_port(), "Kafka")


@pytest.mark.parametrize(
    "settings",
    [Settings(bootstrap="kafka.example.com:9092"), Settings(redis_url="redis://10.0.0.1:6379/0")],
)
def test_up_refuses_to_stand_for_another_machine(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"runs only on 127\.0\.0\.1"):
        up(settings, tmp_path)


@pytest.fixture
def jars(tmp_path: Path) -> tuple[Path, Path]:
    folder, sums = tmp_path / "jars", tmp_path / "sums"
    folder.mkdir()
    (folder / "a.jar").write_bytes(b"a")
    sums.write_text("ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb  a.jar\n")
    return folder, sums


def test_jars_that_are_what_the_project_names_are_taken(jars: tuple[Path, Path]) -> None:
    kafka.verify(*jars)


def test_a_changed_missing_or_unknown_jar_is_refused_by_name(jars: tuple[Path, Path]) -> None:
    folder, _ = jars
    (folder / "b.jar").write_bytes(b"b")
    with pytest.raises(StackError, match=r"b\.jar was downloaded but"):
        kafka.verify(*jars)
    (folder / "b.jar").unlink()
    (folder / "a.jar").write_bytes(b"other")
    with pytest.raises(StackError, match=r"a\.jar is not the file"):
        kafka.verify(*jars)
    (folder / "a.jar").unlink()
    with pytest.raises(StackError, match=r"a\.jar is missing"):
        kafka.verify(*jars)


def test_the_project_names_a_sum_for_every_jar_of_its_kafka() -> None:
    lines = Path("streams/local/kafka-jars.lock").read_text().splitlines()
    assert all(len(line.split("  ")[0]) == 64 and line.endswith(".jar") for line in lines)
    assert any(line.endswith(f"  kafka_2.13-{kafka.VERSION}.jar") for line in lines)
