"""`pulpero tail`: watch actions, decisions or dead letters as they become visible."""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from schemas.action import ActionCancelled, from_kafka, moment
from schemas.dead_letter import DeadLetter
from schemas.decision import Decision
from schemas.topics import ACTIONS, DEAD_LETTERS, DECISIONS
from streams.cli.records import Reader, Record
from streams.cli.terminal import kafka_settings, plain

Cells = tuple[str, ...]


class What(StrEnum):
    """What can be watched."""

    ACTIONS = ACTIONS
    DECISIONS = DECISIONS
    DEAD_LETTERS = DEAD_LETTERS


def register(app: typer.Typer) -> None:
    """Add the command `tail`."""
    app.command()(tail)


def tail(
    what: Annotated[What, typer.Argument(help="The topic.", show_default=False)],
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line; in a pipe else tabs.")
    ] = False,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Begin with the oldest.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many.", show_default=False)] = None,
) -> None:
    """Show records as they are committed, until Ctrl-C. Records of aborted transactions are never shown."""
    is_read_by_people = Console().is_terminal
    show = _show_json if as_json else _show_table(what) if is_read_by_people else _show_lines(what)
    left = limit
    try:
        with Reader(kafka_settings().bootstrap) as reader:
            for records in reader.follow(what, from_beginning=from_beginning):
                shown = records[:left]
                if shown:
                    show(shown)
                if left is not None:
                    left -= len(shown)
                    if not left:
                        return
    except KeyboardInterrupt:
        return


def _show_json(records: list[Record]) -> None:
    out = plain()
    for record in records:
        out.print(orjson.dumps(_as_object(record)).decode())
    out.file.flush()


def _as_object(record: Record) -> dict[str, Any]:
    found: dict[str, Any] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "appended_at": moment(record.appended_at).isoformat(timespec="milliseconds"),
    }
    if "ce_type" in record.headers:
        found["type"] = record.headers["ce_type"].decode()
    return found | {"value": orjson.loads(record.value or b"null")}


def _show_table(what: What) -> Callable[[list[Record]], None]:
    columns, cells = _LAYOUTS[what]
    out = Console(highlight=False, markup=False)
    headed = iter([True])

    def show(records: list[Record]) -> None:
        table = Table(box=None, expand=True, show_header=next(headed, False), pad_edge=False)
        for name, ratio in columns.items():
            # Nothing is cut: what does not fit is folded.
            table.add_column(name, ratio=ratio or None, overflow="fold", no_wrap=not ratio)
        for record in records:
            table.add_row(*cells(record))
        out.print(table)

    return show


def _show_lines(what: What) -> Callable[[list[Record]], None]:
    """For other programs: a line a record, a tab between cells, nothing cut or folded."""
    _, cells = _LAYOUTS[what]

    def show(records: list[Record]) -> None:
        for record in records:
            # A console would make blanks of the tabs.
            typer.echo("\t".join(" ".join(cell.split()) for cell in cells(record)))

    return show


def _action_cells(record: Record) -> Cells:
    message = from_kafka(record.value or b"", list(record.headers.items()))
    at = _time(record)
    if isinstance(message, ActionCancelled):
        return at, message.trigger, message.channel, message.customer_key, "", f"cancelled: {message.reason}"
    about = str(message.business_key)
    return at, message.trigger, message.channel, message.customer_key, about, message.reason_internal.en


def _decision_cells(record: Record) -> Cells:
    decision = Decision.from_json(record.value or b"")
    return (
        _time(record),
        decision.trigger,
        decision.outcome,
        decision.customer_key,
        str(decision.business_key),
        decision.reason_code,
    )


def _letter_cells(record: Record) -> Cells:
    letter = DeadLetter.from_json(record.value or b"")
    origin = f"{letter.origin.topic}/{letter.origin.partition}/{letter.origin.offset}"
    return _time(record), letter.reason, letter.source or "", origin, letter.pointer, letter.message


def _time(record: Record) -> str:
    return f"{moment(record.appended_at):%H:%M:%S}"


_LAYOUTS: dict[What, tuple[dict[str, int], Callable[[Record], Cells]]] = {
    What.ACTIONS: (
        {"utc": 0, "trigger": 10, "channel": 4, "customer": 8, "about": 8, "why": 24},
        _action_cells,
    ),
    What.DECISIONS: (
        {"utc": 0, "trigger": 10, "outcome": 6, "customer": 8, "about": 8, "reason": 12},
        _decision_cells,
    ),
    What.DEAD_LETTERS: (
        {"utc": 0, "reason": 8, "source": 6, "origin": 12, "pointer": 8, "message": 20},
        _letter_cells,
    ),
}
