"""`pulpero explain`: one customer's row, orders, and what was decided for them and why. Needs only Kafka."""

from enum import StrEnum
from typing import Annotated, Any

import msgspec
import orjson
import typer
from rich.console import Console, Group
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from schemas.customer import Customer
from schemas.decision import Decision
from schemas.event import Millis
from schemas.topics import changelog
from streams.cli.order_lines import minute, order_lines
from streams.cli.records import Reader
from streams.cli.story import Story, find, story_of, stream_time
from streams.cli.terminal import kafka_settings, plain, refuse
from streams.clock import wall_millis
from streams.customers.portrait import Language, portrait
from streams.serving.layout import identifiers

_WORDS: dict[Language, dict[str, str]] = {
    "es": {
        "orders": "Pedidos",
        "decisions": "Qué se decidió y por qué (UTC)",
        "seen": "se vio",
        "None": "nada",
        "True": "sí",
        "False": "no",
        "fired": "enviada",
        "deferred": "aplazada",
        "suppressed": "descartada",
        "nothing": "Todavía no se ha decidido nada.",
        "no_orders": "Sin pedidos.",
        "timers": "Próximos momentos",
    },
    "en": {
        "orders": "Orders",
        "decisions": "What was decided and why (UTC)",
        "seen": "seen",
        "None": "nothing",
        "True": "yes",
        "False": "no",
        "fired": "fired",
        "deferred": "deferred",
        "suppressed": "suppressed",
        "nothing": "Nothing has been decided yet.",
        "no_orders": "No orders.",
        "timers": "Next moments",
    },
}


_INTERNAL = ("label:", "held:")
"""Timers that say nothing to a person: when a label is due, and when a held action is looked at again."""


class LanguageOption(StrEnum):
    """The languages of the texts."""

    ES = "es"
    EN = "en"


def register(app: typer.Typer) -> None:
    """Add the command `explain`."""
    app.command()(explain)


def explain(
    customer: Annotated[
        str,
        typer.Argument(help="A key (`c:42`) or any identifier (`42`, a loyalty card).", show_default=False),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    language: Annotated[LanguageOption, typer.Option(help="Language of the texts.")] = LanguageOption.EN,
) -> None:
    """Who CUSTOMER is, what happened to the orders, and what was decided and why."""
    settings = kafka_settings()
    with Reader(settings.bootstrap) as reader:
        row = find(reader, changelog(settings.app_id), customer)
        if row is None:
            refuse(f"{customer}: no such customer")
        story = story_of(reader, row)
        now = wall_millis()
        if settings.time == "events":
            now = stream_time(reader, changelog(settings.app_id), row.key) or row.last_seen
    chosen: Language = language.value
    if as_json:
        plain().print(orjson.dumps(_as_object(story, now, chosen)).decode())
    else:
        Console(highlight=False, markup=False).print(_as_screen(story, now, chosen))


def _as_object(story: Story, now: Millis, language: Language) -> dict[str, Any]:
    row = msgspec.structs.asdict(story.row)
    return {
        "customer_key": story.row.key,
        "portrait": portrait(story.row, now, language),
        "row": orjson.loads(msgspec.json.encode({name: _named(value) for name, value in row.items()})),
        "decisions": [msgspec.to_builtins(each) for each in story.decisions],
        "reasons": {
            action_id: getattr(action.reason_internal, language)
            for action_id, action in story.actions.items()
        },
    }


def _named(value: object) -> object:
    """A row's value with its fields' names: packed they have none."""
    if isinstance(value, msgspec.Struct):
        return {name: _named(field) for name, field in msgspec.structs.asdict(value).items()}
    if isinstance(value, list):
        return [_named(each) for each in value]
    if isinstance(value, dict):
        return {str(name): _named(each) for name, each in value.items()}
    return value


def _as_screen(story: Story, now: Millis, language: Language) -> Group:
    row, words = story.row, _WORDS[language]
    known = sorted(identifiers(row))
    title = row.key if not known else f"{row.key}  ({', '.join(known)})"
    return Group(
        Panel("\n".join([*portrait(row, now, language), *_timers(row, words)]), title=title),
        Panel("\n".join(order_lines(row, language)) or words["no_orders"], title=words["orders"]),
        Panel(_decisions(story, language), title=words["decisions"]),
    )


def _timers(row: Customer, words: dict[str, str]) -> list[str]:
    told = ((name, due) for name, due in row.timers.items() if not name.startswith(_INTERNAL))
    soonest = sorted(told, key=lambda each: (each[1], each[0]))[:3]
    named = ", ".join(f"{timer} {minute(due)}" for timer, due in soonest)
    return [f"{words['timers']}: {named}"] if named else []


def _decisions(story: Story, language: Language) -> Group | str:
    """A head line for each, below it why, and what was seen; only between words do lines break."""
    words = _WORDS[language]
    if not story.decisions:
        return words["nothing"]
    lines: list[Text | Padding] = []
    for decision in story.decisions:
        head = f"{decision.at:%Y-%m-%d %H:%M}  {decision.trigger} {decision.business_key}"
        lines.append(Text.assemble(head, "  ", (words[decision.outcome], "bold")))
        lines.append(_indented(_why(decision, story, language)))
        if decision.conditions:
            seen = (f"{each.name} = {_worded(each.value, words)}" for each in decision.conditions)
            lines.append(_indented(f"{words['seen']}: {', '.join(seen)}"))
    return Group(*lines)


def _worded(value: object, words: dict[str, str]) -> str:
    return words[str(value)] if value is None or isinstance(value, bool) else str(value)


def _indented(text: str) -> Padding:
    return Padding(Text(text), (0, 0, 0, 4))


def _why(decision: Decision, story: Story, language: Language) -> str:
    for action_id in decision.action_ids:
        if action_id in story.actions:
            text: str = getattr(story.actions[action_id].reason_internal, language)
            return text
    stopped = [f"{gate.gate}: {gate.reason}" for gate in decision.gates if gate.outcome != "passed"]
    return "; ".join(stopped) or decision.reason_code
