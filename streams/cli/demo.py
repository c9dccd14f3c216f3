"""`pulpero demo`: real Kafka, real customers, real actions, and why."""

import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from streams import logs
from streams.cli.explain import LanguageOption
from streams.cli.observed import NEWEST, Observer, Quantiles, Scrape, is_simulated, scrape
from streams.cli.screen import Screen
from streams.cli.shown import Lines, View
from streams.cli.terminal import fail, refuse
from streams.clock import wall_millis
from streams.local.demo import Running, running
from streams.local.program import StackError
from streams.local.replay import Progress, ReplayFailed, replay
from streams.local.replayed import Replayed
from streams.local.sources import demo as demo_events
from streams.local.stack import STATE_FOLDER

DAY_PER_SECOND = 86_400.0
REFRESH_SECONDS = 0.5


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def demo(
        headless: Annotated[bool, typer.Option("--headless", help="No screen; for machines.")] = False,
        seconds: Annotated[
            float | None, typer.Option("--seconds", min=1, help="Stop after so long; default: Ctrl-C.")
        ] = None,
        report: Annotated[
            Path | None, typer.Option("--report", dir_okay=False, help="Write what happened as JSON.")
        ] = None,
        speed: Annotated[
            float, typer.Option("--speed", min=1, help="Seconds of event time a second.")
        ] = DAY_PER_SECOND,
        customers: Annotated[
            int, typer.Option("--customers", min=1, max=1_000_000, help="Simulated customers.")
        ] = 300,
        seed: Annotated[int, typer.Option("--seed", help="Of the simulated shop.")] = 7,
        language: Annotated[
            LanguageOption, typer.Option("--language", help="Of the reasons.")
        ] = LanguageOption.EN,
    ) -> None:
        """Start Kafka, Redis and a worker, stream customers' behaviour through, and show what follows.

        Real purchases of UCI Online Retail among a simulated shop's visits; a year passes in six minutes.
        """
        if headless and seconds is None:
            refuse("--headless goes on for ever: give it --seconds")
        if report is not None and not report.parent.is_dir():
            refuse(f"--report {report}: there is no folder {report.parent}")
        logs.configure(as_json=False)
        console = Console()
        # Whoever ends it, its processes are stopped and its folder is removed.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        console.print("Starting Apache Kafka, Redis, a worker and the projector …")
        try:
            with running(STATE_FOLDER / "demo") as stage:
                events, _ = demo_events(seed, wall_millis() - 370 * 86_400_000, customers)
                has_screen = console.is_terminal and not headless
                shown = (
                    Screen(console, stage.environment, language.value, speed)
                    if has_screen
                    else Lines(console, stage.environment)
                )
                final = Show(stage, events, speed).run(shown, seconds)
                console.print("Stopping …")
        except (StackError, ReplayFailed) as fault:
            fail(str(fault))
        if report is not None:
            report.write_bytes(orjson.dumps(final, option=orjson.OPT_INDENT_2))
        actions = final["actions_by_trigger"]
        console.print(f"{final['events']:,} events, {sum(actions.values()):,} actions:", highlight=False)
        for trigger, count in actions.items():
            console.print(f"{count:>9,}  {trigger}", highlight=False)


class Show:
    """One run of the demo: a replay in a thread of its own, an observer, and what they have shown so far."""

    def __init__(self, stage: Running, events: Iterator[Replayed], speed: float) -> None:
        self._stage = stage
        self._events = takewhile(lambda event: event.at <= wall_millis(), events)
        self._speed = speed
        self._stop = threading.Event()
        self._failure: ReplayFailed | None = None
        self._observer = Observer(stage.settings)
        self._at: int | None = None
        self._somebody: str | None = None

    def run(self, shown: Screen | Lines, seconds: float | None) -> dict[str, Any]:
        """Go on until the time is up or Ctrl-C; the report. Raises ReplayFailed."""
        self._observer.start()
        replaying = threading.Thread(target=self._replay, name="replay", daemon=True)
        began = time.monotonic()
        replaying.start()
        last: Scrape | None = None
        try:
            with shown:
                while seconds is None or time.monotonic() - began < seconds:
                    self._stop.wait(REFRESH_SECONDS)
                    last = scrape(self._stage.settings.metrics_port) or last
                    if last is not None:
                        shown.show(self._view(last, time.monotonic() - began))
                    if self._failure is not None:
                        raise self._failure
        except KeyboardInterrupt:
            pass
        finally:
            self._stop.set()
            replaying.join()
            self._observer.stop()
        return self._report(last, time.monotonic() - began)

    def _view(self, last: Scrape, seconds: float) -> View:
        seen = self._observer.look()
        if self._somebody is None or is_simulated(self._somebody):
            keys = [action.customer_key for action in seen.pick(NEWEST)]
            # A suggestion that changes cannot be typed: the first real customer stays.
            self._somebody = next((key for key in keys if not is_simulated(key)), keys[0] if keys else None)
        at = datetime.fromtimestamp(self._at / 1000, UTC) if self._at else None
        return View(seen, last, seconds, at, self._somebody)

    def _replay(self) -> None:
        try:
            replay(
                self._events,
                self._stage.settings,
                speed=self._speed,
                stop=self._stop,
                on_progress=self._note,
            )
        except ReplayFailed as failure:
            self._failure = failure

    def _note(self, progress: Progress) -> None:
        self._at = progress.at

    def _report(self, last: Scrape | None, seconds: float) -> dict[str, Any]:
        seen = self._observer.look()
        return {
            "events": last.events if last else 0,
            "actions_by_trigger": dict(seen.actions_by_trigger.most_common()),
            "cancelled": seen.cancelled,
            "suppressions_by_reason": dict(seen.suppressions_by_reason.most_common()),
            "dead_letters": sum(seen.dead_letters_by_reason.values()),
            "dead_letters_by_reason": dict(seen.dead_letters_by_reason.most_common()),
            "events_per_s": round(last.events / seconds, 1) if last else 0.0,
            "latency_ms": _rounded(last.latency) if last else None,
            "timer_delay_ms": _rounded(last.timer_delay) if last else None,
        }


def _rounded(of: Quantiles) -> dict[str, float | None]:
    """In ms, to a tenth."""
    return {
        name: None if value is None else round(value, 1) for name, value in (("p50", of.p50), ("p99", of.p99))
    }
