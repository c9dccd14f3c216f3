"""A program of the embedded stack: started in a folder of its own, found again and stopped by its pid."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_LAUNCHER = Path(__file__).with_name("launcher.py")
_LOG_LINES = 20
_POLL_SECONDS = 0.02


class StackError(RuntimeError):
    """The embedded stack cannot do what was asked; the message says why and what to do."""


class Program:
    """One program in `folder`, alive exactly as long as the lock file there is held.

    The pid in the lock file is believed only while the lock is held, so a pid that the system has given to
    somebody else is never signalled.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self._lock = folder / f"{name}.lock"
        self._log = folder / f"{name}.log"
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, command: Sequence[str], *, tethered: bool, environment: Mapping[str, str]) -> None:
        """Run `command`; `tethered` to this process (on Linux it then dies with it) or detached from it.

        Raises StackError if the program runs already.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if not _try_lock(lock):
                raise StackError(f"{self.name} runs already in {self.folder}")
            parent = str(os.getpid()) if tethered else "detached"
            with self._log.open("ab") as log:
                child = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(_LAUNCHER), parent, str(lock), *command],
                    cwd=self.folder,
                    env=dict(environment),
                    pass_fds=(lock,),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=tethered,
                )
        finally:
            os.close(lock)
        if tethered:
            self._child = child
        else:
            child.wait()

    def is_alive(self) -> bool:
        """Whether the program runs, whoever started it."""
        try:
            lock = os.open(self._lock, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            return not _try_lock(lock)
        finally:
            os.close(lock)

    def pid(self) -> int | None:
        """The program's pid, None if it does not run."""
        if not self.is_alive():
            return None
        text = self._lock.read_text()
        return int(text) if text else None

    def await_ready(self, answers: Callable[[], bool], timeout_seconds: float) -> None:
        """Wait until `answers()`; it may block for up to a second.

        Raises StackError with the end of the program's log if it ends or stays silent.
        """
        deadline = time.monotonic() + timeout_seconds
        while not answers():
            if not self.is_alive():
                raise StackError(f"{self.name} ended at its start:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise StackError(f"{self.name} gave no answer in {timeout_seconds:g} s:\n{self.log_tail()}")
            time.sleep(_POLL_SECONDS)

    def stop(self, timeout_seconds: float = 15.0) -> bool:
        """Ask the program to end, and kill it after `timeout_seconds`. False if it did not run."""
        found = self._signal(signal.SIGTERM)
        if found and not self._ended_within(timeout_seconds):
            self._signal(signal.SIGKILL)
            if not self._ended_within(timeout_seconds):
                raise StackError(f"{self.name} (pid {self.pid()}) does not end")
        if self._child is not None:
            self._child.wait()
            self._child = None
        return found

    def log_tail(self) -> str:
        """The last lines that the program printed."""
        if not self._log.exists():
            return "(no log)"
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-_LOG_LINES:])

    def _signal(self, number: signal.Signals) -> bool:
        pid = self.pid()
        if pid is None:
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    def _ended_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.is_alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def require_free(port: int, name: str) -> None:
    """Raises StackError if somebody listens on `port` of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise StackError(f"port {port}, which {name} is to use, is taken by another program") from error


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
