"""Workers who are struck at named points of their work, and how they go on."""

import signal
import time
from collections.abc import Callable, Iterator
from itertools import permutations, starmap
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.broker.workers import Deployment, Worker, await_true
from tests.faults.arming import (
    ARMED,
    FENCES,
    POINTS,
    STRIKES,
    STRUCK,
    Armed,
    Point,
    Strike,
    arm,
    armed,
    door,
    struck,
)
from tests.faults.failpoints import Struck
from tests.faults.feeding import Feeder
from tests.faults.stream import Portion

FLOW_SECONDS = 0.35
PATIENCE_SECONDS = 90.0

Wave = dict[Strike, Point]
"""One worker is struck in each way."""


class Cast(NamedTuple):
    """Who is struck how: the one who has every lease, the one who wakes and gets some, the one who is new."""

    holder: Strike
    woken: Strike
    newcomer: Strike


OPENING: frozenset[Point] = frozenset({"before_proof", "after_init", "after_restore"})
MOVE: Point = "during_lease_move"


def waves(rng: Random) -> list[Wave]:
    """Every point with every strike once; at last somebody sleeps who has not proved a lease."""
    while True:
        columns = {strike: rng.sample(POINTS, len(POINTS)) for strike in STRIKES}
        drawn = [{strike: columns[strike][number] for strike in STRIKES} for number in range(len(POINTS))]
        if all(map(castings, drawn)):
            return sorted(drawn, key=lambda wave: wave["freeze"] == "before_proof")


def castings(wave: Wave) -> list[Cast]:
    """Who may be struck how, so that each comes to its point.

    A lease moves from the one who has them all; whoever wakes does not know what it will open and when.
    """
    return [
        cast
        for cast in starmap(Cast, permutations(STRIKES))
        if wave[cast.woken] not in {*OPENING, MOVE}
        and wave[cast.newcomer] != MOVE
        and (wave[cast.holder] not in OPENING or cast.holder == "raise")
    ]


class Endless(Feeder):
    """When the stream is at its end it says its last events again, until it is told to finish."""

    is_finishing = False

    def portions(self) -> Iterator[Portion]:
        yield from self.stream
        while not self.is_finishing:
            yield self.stream[-1]

    def finish(self) -> None:
        self.is_finishing = True
        self._allowed.release(len(self.stream))
        super().finish()


class Crew:
    """Three workers: in each wave one dies, one sleeps beyond its session, and one is broken and goes on for all.

    Before the next wave the sleeper wakes and the dead are replaced.
    """

    def __init__(self, shop: Deployment, feeder: Feeder, folder: Path, rng: Random) -> None:
        self.struck: list[Armed] = []
        self._shop, self._feeder, self._folder, self._rng = shop, feeder, folder, rng
        self._files: dict[Worker, Path] = {}
        self._flowed_at = 0.0
        self._next = self._start()
        self._holder = self._let_in()
        self._sleeper: Worker | None = None

    def suffer(self, wave: Wave) -> None:
        """Strike one worker in each way; then one has taken over all tasks, and the sleeper's session is over."""
        cast = self._rng.choice(castings(wave))
        holder = self._holder
        arm(self._files[holder], wave[cast.holder], cast.holder)
        woken, gains = self._wake()
        newcomer = self._let_in(Armed(wave[cast.newcomer], cast.newcomer))
        self._await("leases of the woken", lambda: _gains(woken) > gains)
        arm(self._files[woken], wave[cast.woken], cast.woken)
        victims = {cast.holder: holder, cast.woken: woken, cast.newcomer: newcomer}
        files = [self._files[victim] for victim in victims.values()]
        self._await(f"strikes {wave}", lambda: all(struck(file).exists() for file in files))
        self.struck += map(armed, map(struck, files))
        assert victims["kill"].wait(10) == -signal.SIGKILL
        self._sleeper, self._holder = victims["freeze"], self._broken(victims["raise"], wave["raise"])
        self._await_holder()

    def end(self) -> Worker:
        """The rest flows through two; one remains. Who wakes and has no lease takes nothing from its owner."""
        woken, gains = self._wake()
        self._await("leases of the woken", lambda: _gains(woken) > gains)
        self._feeder.finish()
        assert not _fences_unproved(woken), woken.said
        last, other = self._rng.sample([woken, self._holder], 2)
        other.kill()
        return last

    def _start(self) -> Worker:
        """One who waits at the door: to come in takes a moment, to start seconds."""
        file = self._folder / f"{len(self._files)}.armed"
        door(file).touch()
        worker = self._shop.start(**{ARMED: str(file)})
        self._files[worker] = file
        return worker

    def _let_in(self, first: Armed | None = None) -> Worker:
        """The next worker, armed before it opens anything."""
        worker, file = self._next, self._files[self._next]
        if first is not None:
            arm(file, *first)
        door(file).unlink()
        self._next = self._start()
        return worker

    def _wake(self) -> tuple[Worker, int]:
        """The sleeper, and how often it had gained leases before; at first somebody new."""
        if self._sleeper is None:
            self._await_holder()
            return self._let_in(), 0
        gains = _gains(self._sleeper)
        self._sleeper.signal(signal.SIGCONT)
        return self._sleeper, gains

    def _broken(self, worker: Worker, point: Point) -> Worker:
        """Who goes on: the broken one, which opens again, or, where it has to end loudly, somebody new."""
        self._await(f"a word of the fault {point}", lambda: Struck.__name__ in worker.said)
        if point == MOVE:
            assert worker.wait(30) == 1
            return self._let_in()
        assert "batch failed" in worker.said
        return worker

    def _await_holder(self) -> None:
        holder, tasks = self._holder, self._shop.settings.partitions
        self._await("one who has every task", lambda: holder.metric("tasks_open") == tasks)
        assert holder.is_running

    def _await(self, what: str, is_true: Callable[[], object]) -> None:
        """Wait while events flow."""

        def flows_and_is_true() -> object:
            if time.monotonic() - self._flowed_at > FLOW_SECONDS:
                self._feeder.step()
                self._flowed_at = time.monotonic()
            return is_true()

        await_true(what, flows_and_is_true, PATIENCE_SECONDS)


def _gains(worker: Worker) -> int:
    return sum(line.get("message") == "lease gained" for line in list(worker.log))


def _fences_unproved(zombie: Worker) -> bool:
    """Who was to open a task when its session ended has fenced the owner, before it had any lease again."""
    log = list(zombie.log)
    woken = max(number for number, line in enumerate(log) if line.get("message") == STRUCK)
    task = log[woken]["task"]
    gains = (number for number, line in enumerate(log) if line.get("message") == "lease gained")
    asleep = log[woken : next((number for number in gains if number > woken), None)]
    return any(line.get("message") == FENCES and line["task"] == task for line in asleep)
