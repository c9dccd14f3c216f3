"""`pulpero contract`: try events against the contract, or write it down as JSON Schemas. Needs no broker."""

import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from pydantic_core import from_json, to_json

import schemas
from schemas.decoding import Decoder
from schemas.documents import documents
from schemas.event import type_of
from schemas.rejection import Rejected
from schemas.touchpoints import load
from schemas.touchpoints.touchpoint import Touchpoint
from streams.cli.terminal import known_touchpoints, plain, read_settings, refuse
from streams.local.adapters.jsonl import owners, unwrap
from streams.settings import Settings

SCHEMAS = Path(schemas.__path__[0]) / "json"
"""Where the JSON Schemas are kept."""

_File = Annotated[
    str,
    typer.Argument(help="JSON lines, each a record's value, or as replay reads them; - for standard input."),
]
_Touchpoint = Annotated[
    str | None, typer.Option(help="The touchpoint of all lines; else each line's type decides, or it is web.")
]
_Write = Annotated[bool, typer.Option("--write", help="Write them.")]
_Check = Annotated[bool, typer.Option("--check", help="Say which are not current; exit 1 if any.")]


def register(app: typer.Typer) -> None:
    """Add `contract check` and `contract schemas`."""
    commands = typer.Typer(help="The contract of events.", no_args_is_help=True)
    commands.command("check")(check_events)
    commands.command("schemas")(keep_schemas)
    app.add_typer(commands, name="contract")


def check_events(file: _File, touchpoint: _Touchpoint = None) -> None:
    """Name line, field and reason of all that is not of the contract; exit 1 if there is anything."""
    settings = read_settings()
    touchpoints = _touchpoints(settings, touchpoint)
    decoders = {each.name: Decoder(each, settings.max_record_bytes) for each in touchpoints}
    try:
        with _open(file) as lines:
            refused = _report(lines, decoders, owners(touchpoints))
    except OSError as error:
        refuse(f"{file}: {error.strerror}")
    if refused:
        raise typer.Exit(1)


def keep_schemas(write: _Write = False, check: _Check = False) -> None:
    """Write the contract as JSON Schemas, or check that those written are current."""
    if write == check:
        refuse("say either --write or --check")
    wanted = documents(load())
    if write:
        for name, text in wanted.items():
            (SCHEMAS / name).write_text(text, encoding="utf-8")
        plain().print(f"wrote {len(wanted)} schemas to {SCHEMAS}")
        return
    stale = [name for name, text in wanted.items() if not _is_current(SCHEMAS / name, text)]
    for name in stale:
        plain().print(f"{name} is not current: run pulpero contract schemas --write")
    if stale:
        raise typer.Exit(1)
    plain().print(f"all {len(wanted)} schemas are current")


def _touchpoints(settings: Settings, only: str | None) -> tuple[Touchpoint, ...]:
    known = known_touchpoints(settings)
    chosen = tuple(each for each in known if only in (None, each.name))
    if not chosen:
        refuse(f"no touchpoint is named {only}; there are {', '.join(each.name for each in known)}")
    return chosen


def _report(lines: Iterable[bytes], decoders: dict[str, Decoder], by_type: dict[str, str]) -> int:
    """Print what is wrong, then the sums; how many lines were refused."""
    out = plain()
    taken: Counter[str] = Counter()
    refused = unknown = 0
    for number, line in enumerate(lines, start=1):
        value = line.strip()
        if not value:
            continue
        name, value = _addressed(value, by_type, default=next(iter(decoders)))
        if name not in decoders:
            refused += 1
            out.print(f"line {number}: /touchpoint: there is no touchpoint {name} here")
            continue
        event = decoders[name].read(value)
        if isinstance(event, Rejected):
            refused += 1
            for fault in event.faults:
                out.print(f"line {number}: {fault.pointer or 'the record'}: {fault.reason}: {fault.message}")
        else:
            taken[f"{name}/{type_of(event)}"] += 1
            unknown += event.unknown_fields
    for kind, count in sorted(taken.items()):
        out.print(f"{count:>8}  {kind}")
    out.print(f"{taken.total()} good, {refused} refused, {unknown} unknown fields ignored")
    return refused


def _addressed(value: bytes, by_type: dict[str, str], default: str) -> tuple[str, bytes]:
    """The touchpoint that a line names or its type tells, and the event's own bytes."""
    try:
        named, event = unwrap(from_json(value))
    except ValueError:
        return default, value
    if named is not None:
        return named, to_json(event)
    kind = event.get("type") if isinstance(event, dict) else None
    return by_type.get(str(kind), default), value


def _open(file: str) -> AbstractContextManager[BinaryIO]:
    return nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb")


def _is_current(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text
