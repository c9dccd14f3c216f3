"""Every command tells what it does; nonsense gets one clear line and exit 2, a silent Kafka one and exit 1."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pytest
import typer

from streams.cli.commands import build_cli
from streams.cli.main import main
from streams.local.program import free_port

EVENT = (
    '{"event_id": "1", "type": "page_viewed", "event_time": "2026-01-01T00:00:00Z", "path": "/",'
    ' "customer_id": "a", "source": "test"}\n'
)
WITH_KAFKA = (
    "worker",
    "serving run",
    "serving rebuild",
    "topics create",
    "topics check",
    "actions pause",
    "actions resume --trigger abandonment",
    "tail actions",
    "dlq redrive --reason poison",
    "explain c:1",
    "replay events.jsonl",
    "replay events.jsonl --touchpoint web",
)


class Ended(NamedTuple):
    """How a command ended."""

    code: int | str | None
    out: str
    err: str


class Pulpero:
    """The command line, run in this process as its entry point does."""

    def __init__(self, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self._patch = patch
        self._capture = capture

    def __call__(self, command: str, **environment: str) -> Ended:
        for name, value in environment.items():
            self._patch.setenv(name, value)
        self._patch.setattr(sys, "argv", ["pulpero", *command.split()])
        with pytest.raises(SystemExit) as end:
            main()
        return Ended(end.value.code, *self._capture.readouterr())


@pytest.fixture
def pulpero(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Pulpero]:
    monkeypatch.chdir(tmp_path)
    Path("events.jsonl").write_text(EVENT)
    Path("dreams.jsonl").write_text(EVENT.replace("page_viewed", "dreamt"))
    # Somebody listens there, so that what comes before the first word to Kafka can be seen.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("PULPERO_BOOTSTRAP", f"127.0.0.1:{listening.getsockname()[1]}")
        yield Pulpero(monkeypatch, capsys)


def commands() -> list[str]:
    """Every command and every group of them, the program itself as the empty one."""

    def below(path: str, command: object) -> Iterator[str]:
        yield path
        for name, each in getattr(command, "commands", {}).items():
            yield from below(f"{path} {name}".strip(), each)

    return list(below("", typer.main.get_command(build_cli())))


def is_refused(ended: Ended, said: str, code: int) -> None:
    assert ended.code == code, ended
    assert said in ended.err
    assert len(ended.err.splitlines()) == 1, ended.err
    assert ended.out == ""


@pytest.mark.parametrize("command", commands())
def test_every_command_has_a_help(pulpero: Pulpero, command: str) -> None:
    ended = pulpero(f"{command} --help")
    assert ended.code == 0
    assert "Usage: " in ended.out
    assert ended.err == ""


@pytest.mark.parametrize("command", commands())
def test_an_unknown_option_is_named(pulpero: Pulpero, command: str) -> None:
    is_refused(pulpero(f"{command} --nonsense"), "--nonsense", 2)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("nonsense", "No such command 'nonsense'"),
        ("topics nonsense", "No such command 'nonsense'"),
        ("tail", "Missing argument"),
        ("tail cats", "'cats' is not one of"),
        ("tail actions --limit 0", "--limit"),
        ("explain", "Missing argument"),
        ("dlq redrive", "Missing option '--reason'"),
        ("dlq redrive --reason boredom", "boredom: no such reason"),
        ("dlq redrive --reason late", "late: these would come back"),
        ("actions pause --trigger boredom", "--trigger boredom: one of abandonment, abandonment.browse"),
        ("actions resume --trigger abandonment.help.form_error", "one of abandonment"),
        ("policy check /no/such", "/no/such: No such file"),
        ("contract check /no/such", "/no/such: No such file"),
        ("replay /no/such", "/no/such: no such file"),
        ("replay events.jsonl --speed slow", "--speed slow"),
        (
            "replay dreams.jsonl",
            "dreams.jsonl:1: the line names no touchpoint and its type tells none; give --",
        ),
        ("demo --headless", "give it --seconds"),
        ("demo --seconds soon", "--seconds"),
        ("demo --report /no/such/folder.json", "there is no folder /no/such"),
        ("demo --language fr", "'fr' is not one of 'es', 'en'"),
        ("serving run --metrics-port 99999", "--metrics-port"),
        ("worker and more", "unexpected extra argument"),
    ],
)
def test_nonsense_gets_one_line_and_exit_2(pulpero: Pulpero, command: str, said: str) -> None:
    is_refused(pulpero(command), said, 2)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PARTITIONS", "many", "valid integer"),
        ("PARTITIONS", "0", "greater than or equal to 1"),
        ("TIME", "yesterday", "'live' or 'events'"),
        ("APP_ID", "My App", "match pattern"),
        ("TOUCHPOINTS", "my.module", "a list is written like"),
        ("TOUCHPOINTS", '["no.such_module"]', "No module named 'no'"),
        ("TOUCHPOINTS", '["json"]', "json: has no TOUCHPOINT"),
        ("AGENTS", "my.module", "a list is written like"),
        ("AGENTS", '["no.such_module"]', "No module named 'no'"),
        ("AGENTS", '["json"]', "json has no register(app)"),
        ("POLICY", "/no/such", "/no/such: No such file"),
        ("METRICS_PORT", "99999", "less than or equal to 65535"),
    ],
)
def test_a_setting_that_is_none_is_named(pulpero: Pulpero, name: str, value: str, said: str) -> None:
    ended = pulpero("worker", **{f"PULPERO_{name}": value})
    is_refused(ended, said, 2)
    assert ended.err.startswith(f"PULPERO_{name}: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise ValueError('no till\\nhere')", "store_notes: ValueError: no till here"),
        ("import no_such_module", "store_notes: ModuleNotFoundError: No module named 'no_such_module'"),
        ("def register(app):\n    app.no_such_thing()", "store_notes: AttributeError: "),
    ],
)
def test_a_shops_module_that_fails_is_named(
    pulpero: Pulpero, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    Path("store_notes.py").write_text(text)
    monkeypatch.syspath_prepend(str(Path.cwd()))
    monkeypatch.delitem(sys.modules, "store_notes", raising=False)
    ended = pulpero("worker", PULPERO_AGENTS='["store_notes"]')
    is_refused(ended, f"PULPERO_AGENTS: {said}", 2)
    sys.modules.pop("store_notes", None)


def test_a_policy_that_is_none_is_named_with_line_and_field(pulpero: Pulpero) -> None:
    Path("policy.yaml").write_text('version: "1"\ntime:\n  grace: soon\n')
    ended = pulpero("worker", PULPERO_POLICY="policy.yaml")
    is_refused(ended, "PULPERO_POLICY: policy.yaml: line 3: time.grace", 2)


@pytest.mark.parametrize("command", WITH_KAFKA)
def test_a_kafka_that_is_not_there_gets_one_line_and_exit_1_at_once(pulpero: Pulpero, command: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    began = time.monotonic()
    ended = pulpero(command, PULPERO_BOOTSTRAP=address)
    assert time.monotonic() - began < 5
    is_refused(ended, f"no Kafka answers at {address}; `pulpero up` starts one", 1)


def test_one_of_several_brokers_is_enough(pulpero: Pulpero, monkeypatch: pytest.MonkeyPatch) -> None:
    from streams.cli.terminal import kafka_settings

    with socket.create_server(("127.0.0.1", 0)) as listening:
        some = f"127.0.0.1:{free_port()},PLAINTEXT://127.0.0.1:{listening.getsockname()[1]}"
        monkeypatch.setenv("PULPERO_BOOTSTRAP", some)
        assert kafka_settings().bootstrap == some


@pytest.mark.parametrize("group", [each for each in commands() if f"{each} check" in commands()])
def test_a_group_alone_prints_its_help_and_nothing_else(pulpero: Pulpero, group: str) -> None:
    ended = pulpero(group)
    assert ended.code == 2
    assert "Usage: " in ended.out
    assert ended.err == ""


def test_the_version_is_told(pulpero: Pulpero) -> None:
    assert pulpero("--version") == (0, f"pulpero {version('pulpero')}\n", "")


def test_ctrl_c_while_it_starts_leaves_no_traceback(
    pulpero: Pulpero, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("streams.cli.commands.run", interrupted)
    assert pulpero("worker") == (130, "", "")


def test_no_command_but_the_worker_loads_what_only_the_worker_needs() -> None:
    said = "import sys, streams.cli.commands; print({'faust', 'river', 'scipy'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True)
    assert found.stdout == "set()\n", found


def test_python_m_streams_is_the_command_too() -> None:
    found = subprocess.run([sys.executable, "-m", "streams", "--help"], capture_output=True, text=True)
    assert found.returncode == 0
    assert "exactly once" in found.stdout
