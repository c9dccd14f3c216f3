"""What the demo shows at one moment, what it suggests to try meanwhile, and how it is told without a screen."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from streams.cli.observed import Observed, Quantiles, Scrape

SAY_SECONDS = 10.0


class View(NamedTuple):
    """One moment. `at` is the event time that the replay has reached, `seconds` how long it has run."""

    seen: Observed
    scrape: Scrape
    seconds: float
    at: datetime | None
    somebody: str | None
    """The key of a customer to whom something was said."""

    @property
    def rate(self) -> float:
        """Events a second, over the whole run."""
        return self.scrape.events / max(self.seconds, 1e-9)

    @property
    def paused(self) -> str:
        """What a person holds back at present, for people; empty if nothing."""
        return ", ".join("all triggers" if each == "*" else each for each in self.scrape.paused)


def suggestions(environment: Mapping[str, str], somebody: str) -> tuple[str, ...]:
    """Lines for a shell in the same folder: where the demo is, then four commands."""
    address, *others = (f"{name}={shlex.quote(value)}" for name, value in environment.items())
    command = _command()
    return (
        f"export {address}",
        f"export {' '.join(others)}",
        f"{command} tail actions --limit 20",
        f"{command} explain {shlex.quote(somebody)}",
        f"{command} actions pause --trigger abandonment",
        f"{command} actions resume --trigger abandonment",
    )


def milliseconds(of: Quantiles) -> str:
    """The median and the 99th percentile, for people."""
    if of.p50 is None or of.p99 is None:
        return "p50 -  p99 -"
    return f"p50 {of.p50:,.0f} ms  p99 {of.p99:,.0f} ms"


class Lines:
    """The demo for a log or a pipe: the suggestions once, then a line of figures now and then."""

    def __init__(self, console: Console, environment: Mapping[str, str]) -> None:
        self._console = console
        self._environment = environment
        self._has_suggested = False
        self._say_at = SAY_SECONDS

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *_: object) -> None: ...

    def show(self, view: View) -> None:
        """Say what there is to say."""
        if view.somebody is not None and not self._has_suggested:
            self._has_suggested = True
            self._say("Try meanwhile, in another terminal:")
            for line in suggestions(self._environment, view.somebody):
                self._say(f"  {line}")
        if view.seconds >= self._say_at:
            self._say_at += SAY_SECONDS
            self._say(
                f"{view.scrape.events:,} events, {view.rate:,.0f}/s; {view.seen.actions:,} actions; "
                f"event to action {milliseconds(view.scrape.latency)}"
                + (f"; paused: {view.paused}" if view.paused else "")
            )

    def _say(self, line: str) -> None:
        self._console.print(line, soft_wrap=True, highlight=False, markup=False)


def _command() -> str:
    """How this very program is called from this folder."""
    own = Path(sys.argv[0])
    if own.name != "pulpero":
        return f"{_from_here(Path(sys.executable))} -m streams"
    if shutil.which(own.name) == str(own.absolute()):
        return own.name
    return _from_here(own)


def _from_here(path: Path) -> str:
    """The shorter way to it, for a shell: a long path would be cut off at the screen's edge."""
    return shlex.quote(min(os.path.relpath(path), str(path.absolute()), key=len))
