"""The demo's screen: how fast, how late, what was said to whom, and why. It fits any terminal from 80 x 24 on."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Literal

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from schemas.action import Action
from streams.cli.observed import is_simulated
from streams.cli.shown import View, milliseconds, suggestions

WIDE = 140
"""From so many columns on an action is one line, below it is two."""

Language = Literal["es", "en"]


class Screen:
    """A context manager that has the terminal, and shows the last view in it."""

    def __init__(
        self, console: Console, environment: Mapping[str, str], language: Language, speed: float
    ) -> None:
        self._environment = environment
        self._language: Language = language
        self._speed = speed
        self._view: View | None = None
        self._live = Live(self, console=console, screen=True, auto_refresh=False)

    def __enter__(self) -> "Screen":
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, view: View) -> None:
        """Show this from now on."""
        self._view = view
        self._live.refresh()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """What rich prints: exactly as many lines as the terminal has."""
        view, width, height = self._view, options.max_width, options.size.height
        if view is None:
            yield Text(" Waiting for the first events …")
            return
        counted = 3 if height < 28 else 6 if height < 40 else 13
        head = list(_figures(view, self._speed))
        foot = [*self._suggestions(view), _legend()]
        fixed = len(head) + 1 + (counted + 1) + len(foot)
        yield from head
        yield _rule("Newest actions, some of every kind")
        yield _newest(view, max(1, height - fixed), width, self._language)
        yield _counts(view, counted)
        yield from foot

    def _suggestions(self, view: View) -> Iterator[RenderableType]:
        yield _rule("Try meanwhile, in another terminal, in this folder")
        lines = suggestions(self._environment, view.somebody or "c:16098")
        for line in lines:
            yield Text(f" {line}", no_wrap=True, overflow="ellipsis", style="bold")


def customer_label(key: str) -> Text:
    """The customer's key, marked as a real or a simulated one."""
    if is_simulated(key):
        return Text.assemble(("simulated ", "cyan"), key)
    return Text.assemble(("real ", "bold green"), key)


def _figures(view: View, speed: float) -> Iterator[RenderableType]:
    seen, scrape = view.seen, view.scrape
    minutes, seconds = divmod(int(view.seconds), 60)
    when = f"{view.at:%Y-%m-%d %H:%M}" if view.at is not None else "-"
    yield _rule(f"Pulpero   PAUSED: {view.paused}" if view.paused else "Pulpero")
    yield _line(
        Text.assemble(
            " event time ",
            (when, "bold"),
            f"   {_pace(speed)}, for {minutes}:{seconds:02} min now",
        )
    )
    yield _line(
        Text.assemble(
            (f" {scrape.events:,}", "bold"),
            f" events, {view.rate:,.0f}/s   ",
            (f"{seen.actions:,}", "bold"),
            f" actions, {seen.cancelled:,} called back   ",
            (f"{sum(seen.dead_letters_by_reason.values()):,}", "bold"),
            " dead letters",
        )
    )
    yield _line(
        Text.assemble(" from an event's record to its action's: ", (milliseconds(scrape.latency), "bold"))
    )


def _newest(view: View, lines: int, width: int, language: Language) -> Table:
    """Newest first, exactly `lines` high."""
    table = Table.grid(padding=(0, 2), expand=True)
    is_wide = width >= WIDE
    for ratio in (None, None, None, 1) if is_wide else (1,):
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=ratio)
    height = 1 if is_wide else 2
    actions = view.seen.pick(lines // height)
    for action in actions:
        _add(table, action, language, is_wide)
    for _ in range(lines - len(actions) * height):
        table.add_row("")
    return table


def _add(table: Table, action: Action, language: Language, is_wide: bool) -> None:
    who = Text.assemble(" ", customer_label(action.customer_key))
    why = action.reason_internal.es if language == "es" else action.reason_internal.en
    if is_wide:
        table.add_row(who, Text(action.trigger, style="magenta"), Text(action.channel), Text(why))
        return
    table.add_row(Text.assemble(who, "  ", (action.trigger, "magenta"), f"  by {action.channel}"))
    table.add_row(Text(f"   {why}"))


def _counts(view: View, lines: int) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    for _ in range(2):
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_row(_rule("Actions by trigger"), _rule("Left unsaid, and why"))
    said, unsaid = (
        _most(counter, lines) for counter in (view.seen.actions_by_trigger, view.seen.suppressions_by_reason)
    )
    for left, right in zip(said, unsaid, strict=True):
        table.add_row(left, right)
    return table


def _most(counter: Counter[str], lines: int) -> list[Text]:
    """The commonest, and what the others come to, exactly `lines` long."""
    most = counter.most_common()
    shown = most if len(most) <= lines else most[: lines - 1]
    texts = [Text(f" {count:>7,}  {name}") for name, count in shown]
    if len(shown) < len(most):
        others = sum(count for _, count in most[len(shown) :])
        texts.append(Text(f" {others:>7,}  {len(most) - len(shown)} others", style="dim"))
    return texts + [Text("")] * (lines - len(texts))


def _legend() -> Text:
    return _line(
        Text.assemble(
            (" real", "bold green"),
            ": a shop's purchases (UCI, 2010-11)  ",
            ("simulated", "cyan"),
            ": a seeded shop  ",
            ("Ctrl-C", "bold"),
            " ends",
        )
    )


def _pace(speed: float) -> str:
    days = speed / 86_400
    return "a day passes in a second" if days == 1 else f"{days:,.2g} days pass in a second"


def _rule(title: str) -> Rule:
    return Rule(Text(title, style="bold"), align="left", style="dim")


def _line(text: Text) -> Text:
    text.no_wrap, text.overflow = True, "ellipsis"
    return text
