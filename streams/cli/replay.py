"""`pulpero replay`: data sets and JSON lines into the touchpoint topics."""

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event as Signal
from typing import Annotated, cast

import typer
from pydantic import TypeAdapter, ValidationError
from rich import progress as rich_progress
from rich.console import Console

from schemas.event import Millis
from schemas.policy import Duration
from schemas.topics import REFERENCE
from schemas.touchpoints.consent import Purpose
from streams.cli.records import Reader
from streams.cli.terminal import fail, kafka_settings, known_touchpoints, plain, read_settings, refuse
from streams.clock import wall_millis
from streams.engine.deployment import DEPLOYMENT_PREFIX, read_deployment
from streams.local.adapters.adapter import NotReadable, Options
from streams.local.adapters.jsonl import owners
from streams.local.replay import Progress, ReplayFailed
from streams.local.replay import replay as send
from streams.local.replayed import iso, millis, shifted
from streams.local.sources import Extent, extent, of_files
from streams.settings import Settings


def register(app: typer.Typer) -> None:
    """Add `replay`."""
    app.command()(replay)


def replay(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE|DIR…", help="data sets, or JSON lines")],
    speed: Annotated[str, typer.Option(help="seconds of event time a second, or max")] = "max",
    consent: Annotated[
        str, typer.Option(help="what customers of data without consent grant: purposes with commas, or none")
    ] = "profiling,marketing",
    touchpoint: Annotated[
        str | None, typer.Option(help="that of JSON lines that name none; else by type")
    ] = None,
    start_at: Annotated[
        str | None, typer.Option(help="the first event's new time (RFC 3339, or now); gaps stay")
    ] = None,
    end_at: Annotated[str | None, typer.Option(help="the last event's new time, likewise")] = None,
    settle: Annotated[str, typer.Option(help="how far event time goes on after the last event")] = "72h",
) -> None:
    """Send the events of the files, in time order, to the touchpoint topics; Ctrl-C ends it cleanly."""
    settings, rate, settle_ms = read_settings(), _speed(speed), _duration(settle)
    options = Options(_purposes(consent), touchpoint, owners(known_touchpoints(settings)))
    skipped = Counter[str]()
    try:
        with Console(stderr=True).status("reading"):
            found = extent(of_files(paths, options, skipped))
        _require_known(found.touchpoints, settings)
        by = _shift(found, start_at, end_at)
        _require_same_time(kafka_settings())
        events = of_files(paths, options, Counter())
        moved = (shifted(event, by) for event in events) if by else events
        with _until_interrupted() as stop, _bar(found.events) as (bar, task):
            done = send(
                moved,
                settings,
                speed=rate,
                stop=stop,
                on_progress=lambda now: bar.update(task, completed=now.events, rate=_rate(now)),
                settle_ms=settle_ms,
            )
    except NotReadable as error:
        refuse(str(error))
    except ReplayFailed as error:
        fail(str(error))
    _summary(done, found, skipped, stopped=stop.is_set())


def _summary(done: Progress, found: Extent, skipped: Counter[str], *, stopped: bool) -> None:
    reached = iso(done.at) if done.at is not None else "no event"
    end = f"stopped early at {reached}" if stopped else f"event time reached {reached}"
    plain().print(f"{done.events:,} of {found.events:,} events in {done.seconds:.1f} s, {_rate(done)}; {end}")
    if done.clock_records:
        plain().print(f"{done.clock_records:,} clock.advanced records")
    else:
        plain().print("no clock.advanced records: PULPERO_TIME is live, so the wall clock moves the timers")
    for reason, count in sorted(skipped.items()):
        plain().print(f"left out: {count:,} {reason}")


def _rate(done: Progress) -> str:
    return f"{done.events / done.seconds:,.0f}/s" if done.seconds else ""


@contextmanager
def _until_interrupted() -> Iterator[Signal]:
    stop = Signal()
    before = signal.signal(signal.SIGINT, lambda *_: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _bar(total: int) -> Iterator[tuple[rich_progress.Progress, rich_progress.TaskID]]:
    columns = (
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TextColumn("{task.fields[rate]}"),
        rich_progress.TimeRemainingColumn(),
    )
    with rich_progress.Progress(*columns, console=Console(stderr=True)) as bar:
        yield bar, bar.add_task("replay", total=total, rate="")


def _require_known(touchpoints: frozenset[str], settings: Settings) -> None:
    known = [each.name for each in known_touchpoints(settings)]
    for name in sorted(touchpoints.difference(known)):
        refuse(f"there is no touchpoint {name}; there are {', '.join(known)}")


def _require_same_time(settings: Settings) -> None:
    """Clock records in a live deployment are dead letters; without them an events one never fires the last timers."""
    with Reader(settings.bootstrap) as reader:
        value = reader.newest(REFERENCE).get(f"{DEPLOYMENT_PREFIX}{settings.app_id}".encode())
    recorded = read_deployment(value) if value is not None else None
    if recorded is not None and recorded.time != settings.time:
        refuse(
            f"PULPERO_TIME is {settings.time} here, but the deployment {settings.app_id} tells time by "
            f"{recorded.time}: set it alike, or change the deployment by `pulpero topics redefine`"
        )


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        refuse(f"--speed {text}: a number above 0, or max")
    return speed


def _duration(text: str) -> Millis:
    try:
        return TypeAdapter[Millis](Duration).validate_python(text)
    except ValidationError:
        refuse(f"--settle {text}: a duration is a number with a unit: 500ms, 5s, 45m, 2h, 30d")


def _purposes(text: str) -> tuple[Purpose, ...]:
    named = () if text == "none" else tuple(each.strip() for each in text.split(","))
    if not set(named) <= {"profiling", "marketing"}:
        refuse(f"--consent {text}: profiling, marketing, both with a comma, or none")
    return cast("tuple[Purpose, ...]", named)


def _shift(found: Extent, start_at: str | None, end_at: str | None) -> Millis:
    if start_at is not None and end_at is not None:
        refuse("--start-at and --end-at: one of them")
    if start_at is not None:
        return _moment("--start-at", start_at) - found.first
    if end_at is not None:
        return _moment("--end-at", end_at) - found.last
    return 0


def _moment(option: str, text: str) -> Millis:
    if text == "now":
        return wall_millis()
    try:
        return millis(text)
    except ValueError:
        refuse(f"{option} {text}: a moment is like 2026-11-24T09:00:00Z, or now")
