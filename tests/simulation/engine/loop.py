"""A simulated scheduler: an event loop whose time, order and threads come from a seed.

Processes share the loop. What a process does belongs to it through a context variable, so that a process can be
frozen (SIGSTOP: everything of it waits) or killed (nothing of it is ever done again) between any two steps.
"""

import asyncio
import contextvars
import heapq
import threading
from asyncio import Handle, TimerHandle
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from random import Random
from typing import Any, TypeVar

from tests.simulation.engine.threads import Job, Turn

T = TypeVar("T")

STEP_SECONDS = 2e-5
"""A step takes up to twice as long."""


class Process:
    """A simulated process of the operating system."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_alive = True
        self.is_frozen = False
        self.gone_at: float | None = None
        """Since when it is frozen or dead."""
        self.woke_at = 0.0
        self.held: list[Handle] = []
        """What waits until the process is woken."""


PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar("PROCESS", default=None)
"""Whose step this is; None for the world outside: Kafka, the shop, whoever kills."""


class SimulatedLoop(asyncio.AbstractEventLoop):
    """Runs ready steps one by one in an order drawn from `rng`; time goes on when nothing is ready.

    Blocking calls run in real threads, of which only one ever runs, and only while the loop waits for it: `park`
    gives the turn back to the loop for some simulated time.
    """

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.steps = 0
        self._now = 0.0
        self._ready: list[Handle] = []
        self._due: list[tuple[float, int, TimerHandle]] = []
        self._made = 0
        self._tasks: list[asyncio.Task[Any]] = []
        self.jobs: list[Job] = []
        self.idle_threads: list[Turn] = []
        self._never_done: list[Handle] = []
        """What dead processes would have done."""
        self.is_over = False

    # What asyncio asks of a loop.

    def time(self) -> float:
        return self._now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Whoever waits for a failed task sees its exception; a killed process's tasks are pending for ever."""

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Handle:
        handle = Handle(callback, args, self, context or contextvars.copy_context())
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> TimerHandle:
        handle = TimerHandle(when, callback, args, self, context or contextvars.copy_context())
        self._made += 1
        heapq.heappush(self._due, (when, self._made, handle))
        return handle

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        """A cancelled timer is found to be so when it is due."""

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: Any = None
    ) -> "asyncio.Task[T]":
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self._tasks.append(task)
        return task

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> "asyncio.Future[T]":
        """The call begins some time later, and its answer comes some time after its end."""
        job = Job(self, func, args)
        self.jobs.append(job)
        self.call_later(self.rng.expovariate(1000), job.go_on)
        return job.future

    # What the simulation does with it.

    def spawn(self, process: Process | None, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Begin a task that belongs to the process."""
        context = contextvars.copy_context()
        context.run(PROCESS.set, process)
        return self.create_task(work, context=context)

    def outside(self, delay: float, callback: Callable[..., object], *args: Any) -> None:
        """Call back later, whatever becomes of the process that asks for it."""
        context = contextvars.copy_context()
        context.run(PROCESS.set, None)
        self.call_later(delay, callback, *args, context=context)

    def park(self, seconds: float) -> None:
        """In a blocking call: let simulated time pass. Raises Killed if the simulation is over meanwhile."""
        thread = threading.current_thread()
        assert isinstance(thread, Turn), "a blocking call in the event loop"
        thread.park(seconds)

    def freeze(self, process: Process) -> None:
        """SIGSTOP."""
        process.is_frozen, process.gone_at = True, self._now

    def kill(self, process: Process) -> None:
        """SIGKILL."""
        process.is_alive, process.gone_at = False, self._now
        self._ready += process.held
        process.held.clear()

    def wake(self, process: Process) -> None:
        """SIGCONT."""
        if not process.is_alive:
            return
        process.is_frozen, process.gone_at, process.woke_at = False, None, self._now
        self._ready += process.held
        process.held.clear()

    def run_until(self, is_done: Callable[[], bool], seconds: float) -> bool:
        """Step until it is done; False if that is not so by then."""
        asyncio._set_running_loop(self)
        try:
            while not is_done():
                if self._now > seconds or not self._step():
                    return False
            return True
        finally:
            asyncio._set_running_loop(None)

    def end(self) -> None:
        """Unwind everything that is still under way, so that nothing of it is left to the garbage collector."""
        self.is_over = True
        for job in self.jobs:
            job.kill()
        for thread in self.idle_threads:
            thread.end()
        self._ready += self._never_done
        asyncio._set_running_loop(self)
        try:
            while pending := [task for task in self._tasks if not task.done()]:
                for task in pending:
                    task.cancel()
                self._run_ready()
        finally:
            asyncio._set_running_loop(None)

    def _run_ready(self) -> None:
        while self._ready:
            ready, self._ready = self._ready, []
            for handle in ready:
                if not handle.cancelled():
                    handle._run()

    def _step(self) -> bool:
        """One step; False if nothing will ever happen again."""
        self._admit_due()
        while not self._ready:
            if not self._due:
                return False
            self._now = max(self._now, self._due[0][0])
            self._admit_due()
        ready = self._ready
        chosen = int(self.rng.random() * len(ready)) if len(ready) > 1 else 0
        ready[chosen], ready[-1] = ready[-1], ready[chosen]
        handle = ready.pop()
        if handle.cancelled():
            return True
        process: Process | None = handle._context.get(PROCESS)  # type: ignore[attr-defined]
        if process is not None and process.is_frozen and process.is_alive:
            process.held.append(handle)
        elif process is None or process.is_alive:
            self.steps += 1
            self._now += STEP_SECONDS * 2 * self.rng.random()
            handle._run()
        else:
            self._never_done.append(handle)
        return True

    def _admit_due(self) -> None:
        due = self._due
        while due and due[0][0] <= self._now:
            handle = heapq.heappop(due)[2]
            if not handle.cancelled():
                self._ready.append(handle)
