import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from streams.cli import replay


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    event = {"customer_id": "1", "event_time": "2026-01-01T00:00:00Z"}
    path.write_text(json.dumps({"touchpoint": "shelf", "event": event}) + "\n")
    return path


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--speed", "0"], "--speed 0: a number above 0, or max"),
        (["--speed", "fast"], "--speed fast: a number above 0, or max"),
        (["--speed", "inf"], "--speed inf: a number above 0, or max"),
        (["--settle", "72"], "--settle 72: a duration is a number with a unit"),
        (["--consent", "sales"], "--consent sales: profiling, marketing"),
        ([], "there is no touchpoint shelf; there are web, orders, messages, consent"),
    ],
)
def test_nonsense_gets_one_line_and_exit_2_before_anything_is_sent(
    file: Path, options: list[str], said: str
) -> None:
    refused(file, options, said)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--start-at", "now", "--end-at", "now"], "--start-at and --end-at: one of them"),
        (["--start-at", "yesterday"], "--start-at yesterday: a moment is like"),
        (["--end-at", "2026-01-01T00:00:00"], "--end-at 2026-01-01T00:00:00: a moment is like"),
    ],
)
def test_a_moment_that_is_none_is_refused(file: Path, options: list[str], said: str) -> None:
    file.write_text(file.read_text().replace("shelf", "web"))
    refused(file, options, said)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    refused(tmp_path / "none.jsonl", [], f"{tmp_path}/none.jsonl: no such file or folder")


def refused(file: Path, options: list[str], said: str) -> None:
    app = typer.Typer()
    replay.register(app)
    result = CliRunner().invoke(app, [str(file), *options])
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""
