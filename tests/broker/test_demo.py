"""`pulpero demo` as a newcomer runs it: for machines, with a screen, with what it suggests, and ended early."""

import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from fcntl import ioctl
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from tests.broker.workers import await_true

COMMAND = Path(sys.executable).with_name("pulpero")
KEYS = {
    "events",
    "actions_by_trigger",
    "cancelled",
    "suppressions_by_reason",
    "dead_letters",
    "events_per_s",
    "latency_ms",
    "timer_delay_ms",
}
WORDS = ("tail", "explain", "pause", "resume")
START_SECONDS = 90.0
ON_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Makes standard input the terminal whose Ctrl-C is meant for this process, then becomes the program."""

pytestmark = [pytest.mark.broker, pytest.mark.xdist_group("broker")]


class Demo:
    """A running demo whose output goes to a pipe."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.lines: list[str] = []
        self.folder = folder
        self.process = subprocess.Popen(
            [COMMAND, "demo", *options],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    def await_suggestions(self) -> list[str]:
        """The lines that it suggests for a shell."""
        await_true(
            f"suggestions of {self.lines}",
            lambda: "actions resume" in self.said or self.process.poll() is not None,
            START_SECONDS,
        )
        return [line.strip() for line in self.lines if line.startswith("  ")][:6]

    def wait(self, seconds: float) -> int:
        code = self.process.wait(seconds)
        self._listener.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def kill(self) -> None:
        """Where it has not ended by itself. What it started dies with it."""
        if self.process.poll() is None:
            self.process.kill()
            self.wait(10)

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))


class Tried(NamedTuple):
    """A demo that ran to its end while its suggestions were tried."""

    code: int
    report: dict[str, Any]
    answers: dict[str, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    folder = tmp_path_factory.mktemp("demo")
    demo = Demo(folder, "--headless", "--seconds", "60", "--report", "report.json")
    try:
        *exports, tail, explain, pause, resume = demo.await_suggestions()
        answers = {}
        for command in (tail, explain, pause, resume):
            typed = "\n".join([*exports, command])
            answers[next(each for each in WORDS if each in command)] = subprocess.run(
                ["sh", "-ec", typed],
                cwd=folder,
                env={**os.environ, "COLUMNS": "200"},
                capture_output=True,
                text=True,
                timeout=60,
            )
        code = demo.wait(120)
        yield Tried(code, orjson.loads((folder / "report.json").read_bytes()), answers)
    finally:
        demo.kill()


def test_the_report_has_what_machines_ask_for(tried: Tried) -> None:
    report = tried.report
    assert tried.code == 0
    assert report.keys() >= KEYS
    families = {trigger.partition(".")[0] for trigger in report["actions_by_trigger"]}
    assert families >= {"abandonment", "post_purchase"}
    assert all(count > 0 for count in report["actions_by_trigger"].values())
    assert report["events"] > 1_000
    assert report["events_per_s"] > 100
    assert report["dead_letters"] == 0
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p99"]
    assert report["timer_delay_ms"].keys() == {"p50", "p99"}


def test_the_suggested_commands_work_while_it_runs(tried: Tried) -> None:
    assert tried.answers.keys() == set(WORDS)
    for command, answer in tried.answers.items():
        assert answer.returncode == 0, (command, answer)
        assert answer.stderr == ""
    assert len(tried.answers["tail"].stdout.splitlines()) == 20
    assert "post_purchase" in tried.answers["tail"].stdout
    assert "What was decided and why" in tried.answers["explain"].stdout
    assert "Nothing has been decided" not in tried.answers["explain"].stdout
    assert tried.answers["pause"].stdout.startswith("paused: abandonment.")
    assert tried.answers["resume"].stdout == "resumed: abandonment\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_told_to_and_leaves_no_process_behind(tmp_path: Path, number: signal.Signals) -> None:
    demo = Demo(tmp_path, "--headless", "--seconds", "600")
    try:
        demo.await_suggestions()
        pids = descendants(demo.process.pid)
        assert len(pids) >= 4, "Kafka, Redis, a worker and a projector"
        demo.process.send_signal(number)
        assert demo.wait(20) in (0, 130)
        assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
        assert re.search(r"[\d,]+ events, [\d,]+ actions", demo.said)
    finally:
        demo.kill()


def test_the_screen_shows_who_why_how_fast_and_what_to_try(tmp_path: Path) -> None:
    with Terminal(tmp_path, columns=100, rows=30) as terminal:
        for said in (
            "Newest actions",
            r"real c:\d+",
            r"simulated c:sim-\S+",
            r"Order \S+ placed, total",
            r"p50 [\d,]+ ms  p99 [\d,]+ ms",
            "Left unsaid, and why",
            "pulpero explain c:",
            "Ctrl-C ends",
        ):
            await_true(said, partial(terminal.has, said), START_SECONDS)
        terminal.type(b"\x03")
        assert terminal.wait(20) in (0, 130)
        assert "events, " in terminal.text


class Terminal:
    """A demo that believes it has a terminal. `text` is what it wrote, without the control sequences."""

    def __init__(self, folder: Path, columns: int, rows: int) -> None:
        self._folder = folder
        self._size = struct.pack("HHHH", rows, columns, 0, 0)
        self._written = bytearray()

    @property
    def text(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._written.decode(errors="replace"))

    def __enter__(self) -> "Terminal":
        self._own, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, self._size)
        environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        self._process = subprocess.Popen(
            [sys.executable, "-c", ON_TERMINAL, COMMAND, "demo"],
            cwd=self._folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**environment, "TERM": "xterm-256color"},
            start_new_session=True,
        )
        os.close(theirs)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self.wait(10)
        os.close(self._own)

    def has(self, pattern: str) -> bool:
        return re.search(pattern, self.text) is not None

    def type(self, keys: bytes) -> None:
        os.write(self._own, keys)

    def wait(self, seconds: float) -> int:
        code = self._process.wait(seconds)
        self._listener.join(5)
        return code

    def _listen(self) -> None:
        while True:
            try:
                self._written += os.read(self._own, 65_536)
            except OSError:
                # On Linux the end of the other side is an error.
                return


def descendants(pid: int) -> list[int]:
    """The pids of all that a process started, and of what they started."""
    own = [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    return [*own, *(each for child in own for each in descendants(child))]
