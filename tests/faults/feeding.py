"""How the stream of the fault tests flows while they do harm: in portions, each when it is asked for."""

import threading
import time
from collections.abc import Iterator
from random import Random

from schemas.topics import ACTIONS
from tests.broker.reading import Reader
from tests.broker.workers import Deployment
from tests.faults.sending import send
from tests.faults.stream import FALLS_SILENT, Portion, feedback

PACE_SECONDS = 0.1
TOLD = 0.5
"""Share of the actions of which the messaging services tell."""


class Feeder:
    """Sends the stream from a thread of its own: an even part of it for each of so many steps.

    It plays the messaging services too: of some of the actions it says what became of them.
    """

    def __init__(
        self, shop: Deployment, stream: list[Portion], steps: int, rng: Random, pace: float = PACE_SECONDS
    ) -> None:
        self.stream = stream
        self._shop, self._rng, self._pace = shop, rng, pace
        self._actions, self._told = Reader(shop.bootstrap, ACTIONS), 0
        self._allowed = threading.Semaphore(0)
        self._a_step = -(-len(stream) // steps)
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def step(self) -> None:
        """Let the next part flow."""
        self._allowed.release(self._a_step)

    def finish(self) -> None:
        """Wait until everything is sent."""
        self._thread.join(60)
        assert not self._thread.is_alive()

    def portions(self) -> Iterator[Portion]:
        """What flows."""
        yield from self.stream

    def _feed(self) -> None:
        for number, portion in enumerate(self.portions()):
            self._allowed.acquire()
            for sent in portion.sent:
                send(self._shop, sent)
            if FALLS_SILENT not in portion.silent and number % 5 == 0:
                self._tell(portion.at)
            for sent in portion.clock:
                send(self._shop, sent)
            self._shop.producer.flush()
            time.sleep(self._pace)

    def _tell(self, at: int) -> None:
        actions = [each.json for each in self._actions.read()[self._told :]]
        self._told += len(actions)
        for action in actions:
            if "template_id" in action and self._rng.random() < TOLD:
                send(self._shop, feedback(action, at, self._rng))
