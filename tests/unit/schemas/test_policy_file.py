"""The policy's file: defaults, and every fault by line, field and reason."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from schemas.policy import Policy
from schemas.policy_file import Fault, PolicyError, load_policy, policy_version
from streams.cli import policy as cli

SHIPPED = Path(__file__).parents[3] / "deploy" / "policy.yaml"


def faults(text: str) -> tuple[Fault, ...]:
    with pytest.raises(PolicyError) as refused:
        load_policy(text)
    return refused.value.faults


def test_the_shipped_policy_states_every_field_at_its_default() -> None:
    policy = load_policy(SHIPPED.read_text(encoding="utf-8"))
    assert policy == Policy(version="1")
    assert policy.model_fields_set == set(Policy.model_fields)
    for name in set(Policy.model_fields) - {"version"}:
        section = getattr(policy, name)
        assert section.model_fields_set == set(type(section).model_fields), name


@pytest.mark.parametrize(
    ("text", "line", "field", "reason"),
    [
        ("version: '1'\nabandonment:\n  cart_afer: 3m\n", 3, "abandonment.cart_afer", "no such field"),
        ("version: '1'\nabandonment:\n  cart_after: 60\n", 3, "abandonment.cart_after", "duration"),
        ("version: '1'\nabandonment:\n  cart_after: 0m\n", 3, "abandonment.cart_after", "greater than 0"),
        (
            "version: '1'\nabandonment:\n  channels:\n    - email\n    - fax\n",
            5,
            "abandonment.channels.1",
            "'email'",
        ),
        ("version: '1'\n\nchurn_risk: {release: 0.9}\n", 3, "churn_risk", "below threshold"),
        ("version: '1'\ntime: {default_zone: Mars}\n", 2, "time.default_zone", "no such time zone"),
        ("# nothing\nfeeds: {}\n", 2, "version", "required"),
        ("version: 1\n", 1, "version", "string"),
        ("version: '1'\nfeeds: {}\nfeeds: {}\n", 3, "feeds", "twice"),
        ("version: '1'\nfeeds:\n  chance: 1e-3\n  chance: 1e-4\n", 4, "feeds.chance", "twice"),
        ("version: '1'\nfeeds: [\n", 3, "", "not YAML"),
        ("version: '1'\nfeeds:\n  chance: .nan\n", 3, "feeds.chance", "finite"),
        ("version: '1'\nfeeds: !!python/object:os.system {}\n", 2, "", "not YAML"),
        ("version: '1'\nfeeds: &a\n  more: *a\n", 3, "feeds.more", "no such field"),
        ("", 1, "", "mapping"),
        ("- version\n", 1, "", "mapping"),
        ("\0", 1, "", "not YAML"),
    ],
)
def test_a_fault_is_named_by_line_field_and_reason(text: str, line: int, field: str, reason: str) -> None:
    (fault,) = faults(text)
    assert (fault.line, fault.field) == (line, field)
    assert reason in fault.reason


def test_every_fault_is_told_at_once_in_the_order_of_the_lines() -> None:
    found = faults("abandonment:\n  give_up: 3\n  nope: 1\nversion: 2\n")
    assert [fault.line for fault in found] == [2, 3, 4]


def test_the_version_changes_with_any_value_and_with_nothing_else() -> None:
    base = policy_version(load_policy("version: v7\n"))
    assert base.startswith("v7-")
    assert policy_version(load_policy("# words\nversion: v7\nabandonment:\n  cart_after: 60m\n")) == base
    assert policy_version(load_policy("version: v7\nabandonment:\n  cart_after: 61m\n")) != base


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"version: v7\n", 0, "v7-"),
        (b"version: v7\nfeeds:\n  chance: 2\n", 1, ":3: feeds.chance: "),
        (b"\xff\xfe\xfa", 2, "not UTF-8"),
        (None, 2, "No such file"),
    ],
)
def test_policy_check_says_it_and_exits_by_it(
    tmp_path: Path, content: bytes | None, code: int, said: str
) -> None:
    app, file = typer.Typer(), tmp_path / "policy.yaml"
    cli.register(app)
    app.callback()(lambda: None)
    if content is not None:
        file.write_bytes(content)
    result = CliRunner().invoke(app, ["policy", "check", str(file)])
    assert result.exit_code == code
    assert said in (result.stderr if code == 2 else result.stdout)
    assert "Traceback" not in result.output
