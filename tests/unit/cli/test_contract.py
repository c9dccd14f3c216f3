"""`pulpero contract` names line, field and reason, and needs no broker."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from streams.cli import contract

GOLDEN = Path(__file__).parents[2] / "golden" / "events"


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    commands = typer.Typer()
    contract.register(commands)
    return commands


def line(name: str) -> str:
    return (GOLDEN / f"{name}.json").read_text().replace("\n", "")


def test_good_events_of_any_touchpoint_pass(app: typer.Typer, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    names = ("web/searched", "orders/order_placed", "messages/opened", "consent/granted", "segment/page")
    file.write_text("\n".join(line(name) for name in names) + "\n\n")
    result = CliRunner().invoke(app, ["contract", "check", str(file)])
    assert result.exit_code == 0
    assert "5 good, 0 refused" in result.stdout


def test_each_bad_line_is_named_with_its_field_and_reason(app: typer.Typer) -> None:
    lines = [
        line("web/searched"),
        line("orders/order_refunded").replace("5.52", "-5.52"),
        '{"event_id":',
        "{}",
    ]
    result = CliRunner().invoke(app, ["contract", "check", "-"], input="\n".join(lines))
    assert result.exit_code == 1
    said = result.stdout.splitlines()
    assert said[0].startswith("line 2: /amount: invalid_value: ")
    assert said[1].startswith("line 3: the record: truncated_json: ")
    assert said[2].startswith("line 4: /type: missing_field: ")
    assert said[-1].startswith("1 good, 3 refused")


def test_all_faults_of_a_line_are_named_one_a_field(app: typer.Typer) -> None:
    bad = (
        line("orders/order_refunded")
        .replace("5.52", "-5.52")
        .replace('"source"', '"sauce"')
        .replace('"event_time"', '"event_dime"')
    )
    result = CliRunner().invoke(app, ["contract", "check", "-"], input=f"{bad}\n{line('web/searched')}\n")
    assert result.exit_code == 1
    *faults, _, sums = result.stdout.splitlines()
    assert sorted(fault.rpartition(": ")[0] for fault in faults) == [
        "line 1: /amount: invalid_value",
        "line 1: /event_time: missing_field",
        "line 1: /source: missing_field",
    ]
    assert sums.startswith("1 good, 1 refused")


def test_segments_fields_are_named_as_its_sender_wrote_them(app: typer.Typer) -> None:
    page = line("segment/page")
    bad = json.dumps({**json.loads(page), "timestamp": "yesterday", "messageId": 5})
    result = CliRunner().invoke(app, ["contract", "check", "-"], input=bad)
    assert result.exit_code == 1
    assert {said.split(": ")[1] for said in result.stdout.splitlines()[:-1]} == {"/timestamp", "/messageId"}


def test_a_line_may_name_its_touchpoint_as_for_a_replay(app: typer.Typer) -> None:
    paid = line("orders/order_paid")
    lines = [f'{{"touchpoint": "{name}", "event": {paid}}}' for name in ("orders", "web", "fax")]
    result = CliRunner().invoke(app, ["contract", "check", "-"], input="\n".join(lines))
    assert result.exit_code == 1
    said = result.stdout.splitlines()
    assert said[0].startswith("line 2: /type: unknown_type: ")
    assert said[1] == "line 3: /touchpoint: there is no touchpoint fax here"
    assert said[-1].startswith("1 good, 2 refused")


def test_one_touchpoint_takes_no_others_events(app: typer.Typer) -> None:
    run = ["contract", "check", "-", "--touchpoint", "web"]
    result = CliRunner().invoke(app, run, input=line("orders/order_paid"))
    assert result.exit_code == 1
    assert "line 1: /type: unknown_type" in result.stdout


def test_nobody_to_talk_to_is_said_without_a_key_too(app: typer.Typer) -> None:
    nobody = (
        line("web/searched").replace('"customer_id"', '"customer"').replace('"anonymous_id"', '"anonymous"')
    )
    result = CliRunner().invoke(app, ["contract", "check", "-"], input=nobody)
    assert result.exit_code == 1
    assert "no_identifier" in result.stdout


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (["check", "/no/such/file"], "No such file"),
        (["check", "-", "--touchpoint", "fax"], "no touchpoint is named fax"),
        (["schemas"], "--write or --check"),
        (["schemas", "--write", "--check"], "--write or --check"),
    ],
)
def test_nonsense_gets_one_line_and_exit_2(app: typer.Typer, run: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["contract", *run])
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_the_kept_schemas_are_found_current_or_not(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CliRunner().invoke(app, ["contract", "schemas", "--check"]).exit_code == 0
    monkeypatch.setattr(contract, "SCHEMAS", tmp_path)
    assert CliRunner().invoke(app, ["contract", "schemas", "--check"]).exit_code == 1
    assert CliRunner().invoke(app, ["contract", "schemas", "--write"]).exit_code == 0
    assert CliRunner().invoke(app, ["contract", "schemas", "--check"]).exit_code == 0
