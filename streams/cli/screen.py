"""The demo's screen: how fast, how late, what was said to whom, and why."""

from collections.abc import Mapping
from datetime import datetime

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from schemas.action import Action
from streams.cli.observed import Observed, Scrape

ROWS = 14
SIMULATED = "sim-"


class Screen:
    """A renderable that shows the last `update`."""

    def __init__(self, console: Console, environment: Mapping[str, str], language: str) -> None:
        self.console = console
        self._prefix = " ".join(f"{name}={value}" for name, value in environment.items())
        self._language = language
        self._parts: list[Panel | Table | Text] = [Text("Waiting for the first events …")]

    def update(self, seen: Observed, scrape: Scrape, seconds: float, at: datetime | None) -> None:
        """Show this from now on. `at` is the event time that the replay has reached."""
        self._parts = [
            _figures(seen, scrape, seconds, at),
            _newest(seen, self._language),
            _counts(seen),
            self._suggestions(seen),
        ]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """What rich prints."""
        yield Group(*self._parts)

    def _suggestions(self, seen: Observed) -> Panel:
        somebody = seen.newest[-1].customer_key if seen.newest else "c:16098"
        commands = (
            "pulpero tail actions",
            f"pulpero explain {somebody}",
            "pulpero actions pause --trigger abandonment",
        )
        lines = "\n".join(f"  {self._prefix} \\\n    .venv/bin/{command}" for command in commands)
        return Panel(Text(lines), title="Try meanwhile, in another terminal (Ctrl-C here ends the demo)")


def customer_label(key: str) -> str:
    """The customer's key, marked as a real or a simulated one."""
    kind = "simulated" if key.partition(":")[2].startswith(SIMULATED) else "real"
    return f"{key} ({kind})"


def _figures(seen: Observed, scrape: Scrape, seconds: float, at: datetime | None) -> Panel:
    p50, p99 = scrape.latency.p50, scrape.latency.p99
    latency = f"{p50:.0f} / {p99:.0f} ms" if p50 is not None and p99 is not None else "-"
    when = at.strftime("%Y-%m-%d %H:%M") if at is not None else "-"
    line = (
        f"event time {when}   events {scrape.events:,} ({scrape.events / max(seconds, 1e-9):,.0f}/s)   "
        f"event → action p50 / p99 {latency}   actions {sum(seen.actions_by_trigger.values()):,}   "
        f"called back {seen.cancelled:,}   dead letters {sum(seen.dead_letters_by_reason.values()):,}"
    )
    return Panel(Text(line), title="Pulpero")


def _newest(seen: Observed, language: str) -> Table:
    table = Table(title="Newest actions", expand=True)
    for column in ("customer", "trigger", "channel", "what the customer reads", "why"):
        table.add_column(
            column, overflow="ellipsis", no_wrap=column != "why", ratio=None if column != "why" else 1
        )
    for action in list(seen.newest)[-ROWS:]:
        table.add_row(*_row(action, language))
    return table


def _row(action: Action, language: str) -> tuple[str, ...]:
    said, why = (
        (action.reason_customer.es, action.reason_internal.es)
        if language == "es"
        else (action.reason_customer.en, action.reason_internal.en)
    )
    return customer_label(action.customer_key), action.trigger, action.channel, said, why


def _counts(seen: Observed) -> Table:
    table = Table(expand=True)
    table.add_column("actions by trigger")
    table.add_column("left unsaid, by reason")
    actions = "\n".join(f"{n:>7,}  {trigger}" for trigger, n in seen.actions_by_trigger.most_common(8))
    unsaid = "\n".join(f"{n:>7,}  {reason}" for reason, n in seen.suppressions_by_reason.most_common(8))
    table.add_row(actions, unsaid)
    return table
