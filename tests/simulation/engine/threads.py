"""Blocking calls in real threads, of which only one ever runs, and only while the simulated loop waits for it."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.engine.loop import SimulatedLoop


class Killed(BaseException):
    """Unwinds the thread of a process that is no more."""


class Turn(threading.Thread):
    """A real thread that runs simulated blocking calls, one after the other, in turn with the loop."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._turn = threading.Semaphore(0)
        self._given_back = threading.Semaphore(0)
        self.job: Job | None = None
        self.parked_for: float | None = None
        self._is_killed = False

    def give_turn(self) -> None:
        """Let it run until it parks or ends its job; called by the loop."""
        self.parked_for = None
        self._turn.release()
        self._given_back.acquire()

    def park(self, seconds: float) -> None:
        self.parked_for = seconds
        self._given_back.release()
        self._turn.acquire()
        if self._is_killed:
            raise Killed

    def kill(self) -> None:
        """Unwind what it does."""
        self._is_killed = True
        self.give_turn()

    def end(self) -> None:
        self.job = None
        self._turn.release()
        self.join()

    def run(self) -> None:
        while True:
            self._turn.acquire()
            if self.job is None:
                return
            self.job.do()
            self._given_back.release()
            if self._is_killed:
                return


class Job:
    """One blocking call."""

    def __init__(self, loop: "SimulatedLoop", function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.future: asyncio.Future[Any] = loop.create_future()
        self._loop = loop
        self._function, self._args = function, args
        self._context = contextvars.copy_context()
        self._thread: Turn | None = None
        self._is_done = False
        self._result: Any = None
        self._failure: Exception | None = None

    def go_on(self) -> None:
        """The loop gives it its turn."""
        loop = self._loop
        if loop.is_over:
            return
        if self._thread is None:
            self._thread = loop.idle_threads.pop() if loop.idle_threads else Turn()
            self._thread.job = self
            if not self._thread.is_alive():
                self._thread.start()
        self._thread.give_turn()
        if not self._is_done:
            assert self._thread.parked_for is not None
            loop.call_later(self._thread.parked_for, self.go_on)
            return
        loop.idle_threads.append(self._thread)
        loop.jobs.remove(self)
        loop.call_later(loop.rng.expovariate(1000), self._answer)

    def do(self) -> None:
        """In the thread."""
        try:
            self._result = self._context.run(self._function, *self._args)
        except Exception as failure:
            self._failure = failure
        except Killed:
            return
        self._is_done = True

    def kill(self) -> None:
        if self._thread is not None and not self._is_done:
            self._thread.kill()
            self._thread.join()

    def _answer(self) -> None:
        if self.future.done():
            return
        if self._failure is not None:
            self.future.set_exception(self._failure)
        else:
            self.future.set_result(self._result)
