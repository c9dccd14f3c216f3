"""The demo's screen fits its terminal, and what is rare is not crowded out."""

import io
import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from schemas.action import Action, Bilingual, BusinessKey, Content
from streams.cli.observed import Observed, Quantiles, Scrape
from streams.cli.screen import Screen
from streams.cli.shown import Lines, View, suggestions

AT = datetime(2026, 2, 3, 11, 20, tzinfo=UTC)
ENVIRONMENT = {"PULPERO_BOOTSTRAP": "127.0.0.1:54321", "PULPERO_TIME": "events", "PULPERO_PARTITIONS": "4"}


def action(number: int, customer: str, trigger: str = "post_purchase.thanks") -> Action:
    return Action(
        action_id=f"action-{number}",
        trigger=trigger,
        customer_key=customer,
        identifiers={},
        business_key=BusinessKey(kind="order", id=f"o-{number}"),
        purpose="service",
        category="service",
        channel="email",
        template_id=trigger,
        locale="es",
        time_zone="UTC",
        priority=1,
        content=Content(),
        reason_internal=Bilingual(es=f"motivo {number} " + "á" * 200, en=f"reason {number} " + "x" * 200),
        reason_customer=Bilingual(es="porque", en="because"),
        valid_from=AT,
        expires_at=AT + timedelta(days=1),
        decision_id="d",
    )


def observed(actions: Iterable[Action]) -> Observed:
    seen = Observed()
    for each in actions:
        seen.note(each)
    return seen


def busy() -> Observed:
    """One lapse of a real customer, then a hundred simulated orders, and many reasons."""
    orders = [action(number, f"c:sim-7-{number}-1") for number in range(1, 101)]
    seen = observed([action(0, "c:16098", "churn_risk"), *orders])
    for number in range(20):
        seen.actions_by_trigger[f"post_purchase.kind_{number}"] = number
        seen.suppressions_by_reason[f"reason_{number}"] = number
    return seen


def view(seen: Observed, seconds: float = 80.0, somebody: str | None = "c:16098") -> View:
    return View(
        seen, Scrape(32_866, Quantiles(14.2, 61.0, 9), Quantiles(None, None, 0)), seconds, AT, somebody
    )


def printed(width: int, height: int, seen: Observed, language: str = "en") -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=True, color_system=None)
    screen = Screen(console, ENVIRONMENT, "es" if language == "es" else "en", 86_400)
    screen._view = view(seen)
    console.print(screen)
    return out.getvalue().splitlines()


@pytest.mark.parametrize(
    ("width", "height"), [(80, 24), (80, 60), (100, 30), (139, 40), (140, 40), (160, 50)]
)
@pytest.mark.parametrize("seen", [busy(), Observed()], ids=["busy", "empty"])
def test_the_screen_is_as_high_as_the_terminal_and_nothing_wraps(
    width: int, height: int, seen: Observed
) -> None:
    lines = printed(width, height, seen)
    assert len(lines) == height
    assert all(len(line) <= width for line in lines)


@pytest.mark.parametrize("folder", ["/srv", "/srv/a/folder/that/is/far/away/from/the/root"])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (160, 50)])
def test_it_shows_who_is_real_why_how_fast_and_what_to_try(
    width: int, height: int, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", f"{folder}/.venv/bin/python")
    monkeypatch.setattr(os, "getcwd", lambda: folder)
    lines = printed(width, height, busy())
    text = "\n".join(lines)
    for said in (
        "real c:16098",
        "simulated c:sim-7-100-1",
        "reason 100 ",
        "reason 0 ",
        "p50 14 ms  p99 61 ms",
    ):
        assert said in text
    for line in suggestions(ENVIRONMENT, "c:16098"):
        assert f" {line}" in [each.rstrip() for each in lines]
    # Newest first.
    assert text.index("reason 100 ") < text.index("reason 99 ") < text.index("reason 0 ")


def test_the_others_of_the_counts_are_summed_up() -> None:
    assert any("172  20 others" in line and "153  18 others" in line for line in printed(80, 24, busy()))


def test_the_reasons_are_in_the_language_asked_for() -> None:
    assert "motivo 100" in "\n".join(printed(80, 24, busy(), "es"))


def test_what_is_rare_is_not_crowded_out() -> None:
    picked = busy().pick(3)
    assert [each.action_id for each in picked] == ["action-100", "action-99", "action-0"]
    assert [each.action_id for each in busy().pick(1)] == ["action-100"]
    assert Observed().pick(3) == []


def test_a_copy_stays_as_it_is() -> None:
    seen = busy()
    copy = seen.copy()
    seen.note(action(999, "c:new"))
    assert copy.actions == seen.actions - 1
    assert copy.pick(1)[0].action_id == "action-100"


def test_without_a_terminal_the_suggestions_are_said_once_and_figures_now_and_then() -> None:
    out = io.StringIO()
    lines = Lines(Console(file=out, width=40), ENVIRONMENT)
    for seconds in range(25):
        lines.show(view(busy(), float(seconds), "c:16098" if seconds > 2 else None))
    said = out.getvalue().splitlines()
    assert said[0].startswith("Try meanwhile")
    assert [each.strip() for each in said[1:7]] == list(suggestions(ENVIRONMENT, "c:16098"))
    assert len(said) == 9
    assert "32,866 events" in said[7]


def test_while_something_is_paused_screen_and_lines_say_so() -> None:
    held = view(busy(), 10.0)._replace(
        scrape=Scrape(1, Quantiles(None, None, 0), Quantiles(None, None, 0), ("*", "abandonment"))
    )
    out = io.StringIO()
    console = Console(file=out, width=100, height=24, force_terminal=True, color_system=None)
    screen = Screen(console, ENVIRONMENT, "en", 86_400)
    screen._view = held
    console.print(screen)
    assert "PAUSED: all triggers, abandonment" in out.getvalue()
    assert "PAUSED" not in "".join(printed(100, 24, busy()))
    Lines(Console(file=out, width=40), ENVIRONMENT).show(held)
    assert out.getvalue().endswith("; paused: all triggers, abandonment\n")
