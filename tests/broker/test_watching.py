"""What people see and mend from the command line: tail, explain, dlq redrive."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
import typer
from confluent_kafka import Producer
from typer.testing import CliRunner, Result

from schemas.action import Action, Bilingual, BusinessKey, Content, moment, to_kafka
from schemas.customer import Customer, Identity, Order, OrderItem, Purchases, pack
from schemas.dead_letter import DeadLetter, Origin, ReasonCode
from schemas.decision import Condition, Decision, GateOutcome
from schemas.event import Event
from schemas.topics import DEAD_LETTERS, REFERENCE, changelog
from streams.cli import actions, dlq, explain, tail
from streams.engine.commit import OutputRecord
from streams.engine.outputs import dead_letter
from streams.engine.partitions import partition_of
from streams.engine.task_row import TASK_ROW_KEY, TaskRow, pack_task_row
from streams.settings import Settings
from tests.broker.reading import Reader

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "events"
AT = 1_700_000_000_000


class Shop:
    """A deployment whose outputs the test writes itself, and its command line."""

    def __init__(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings = settings
        self.environment = {"PULPERO_BOOTSTRAP": settings.bootstrap, "PULPERO_APP_ID": settings.app_id}
        self.environment |= {"PULPERO_PARTITIONS": str(settings.partitions), "PULPERO_TIME": "events"}
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)
        self._producer = Producer(
            {"bootstrap.servers": settings.bootstrap, "transactional.id": f"{settings.app_id}-test"}
        )
        self._producer.init_transactions(20)

    def write(self, records: Iterable[OutputRecord], *, commit: bool = True) -> None:
        """One transaction; records go to the partition of their key."""
        self._producer.begin_transaction()
        for topic, key, value, headers in records:
            number = partition_of(key or b"", self.settings.partitions)
            self._producer.produce(topic, key=key, value=value, partition=number, headers=list(headers or []))
        self._producer.flush()
        if commit:
            self._producer.commit_transaction(10)
        else:
            self._producer.abort_transaction(10)

    def write_task_row(self, packed: bytes) -> None:
        """The task row of every task, as a batch would write it."""
        self._producer.begin_transaction()
        for number in range(self.settings.partitions):
            topic = changelog(self.settings.app_id)
            self._producer.produce(topic, key=TASK_ROW_KEY, value=packed, partition=number)
        self._producer.commit_transaction(10)

    def run(self, *arguments: str) -> Result:
        commands = typer.Typer()
        for module in (actions, tail, dlq, explain):
            module.register(commands)
        return CliRunner().invoke(commands, list(arguments))


@pytest.fixture
def shop(deployment: Settings, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(deployment, monkeypatch)


def action(number: int, key: str = "c:42") -> Action:
    return Action(
        action_id=f"action-{number}",
        trigger="abandonment.cart",
        customer_key=key,
        identifiers={},
        business_key=BusinessKey(kind="cart", id=f"cart-{number}"),
        purpose="marketing",
        category="marketing",
        channel="email",
        template_id="cart",
        locale="es",
        time_zone="UTC",
        priority=50,
        content=Content(),
        reason_internal=Bilingual(es="carrito parado 60 min", en="cart idle for 60 min"),
        reason_customer=Bilingual(es="Tu cesta te espera", en="Your cart is waiting"),
        valid_from=moment(AT),
        expires_at=moment(AT + 1),
        decision_id=f"decision-{number}",
    )


def decision(
    number: int, outcome: Literal["fired", "deferred", "suppressed"], *, gate: GateOutcome, key: str = "c:42"
) -> Decision:
    return Decision(
        decision_id=f"decision-{number}",
        customer_key=key,
        trigger="abandonment.cart",
        business_key=BusinessKey(kind="cart", id=f"cart-{number}"),
        at=moment(AT),
        outcome=outcome,
        reason_code="cart_idle",
        conditions=(Condition(name="idle_minutes", value=60, met=True),),
        evidence=("e-1",),
        gates=(gate,),
        policy_version="1",
        action_ids=(f"action-{number}",) if outcome == "fired" else (),
    )


def row(key: str = "c:42") -> Customer:
    item = OrderItem("i-1", "p-1", 2, name="Leche entera", state="backordered", promised_at=AT)
    return Customer(
        key=key,
        first_seen=AT,
        last_seen=AT,
        identity=Identity(customer_id="42", loyalty_card="7700", anonymous_ids=["visitor-9"]),
        orders=[Order("o-1", AT, 12.5, "EUR", items=[item])],
        purchases=Purchases(count=1, first_at=AT, last_at=AT, value=12.5),
    )


def as_record(message: Action) -> OutputRecord:
    key, value, headers = to_kafka(message)
    return OutputRecord("actions", key, value, list(headers))


def decided(each: Decision) -> OutputRecord:
    return OutputRecord("decisions", each.customer_key.encode(), each.to_json())


def test_tail_shows_what_was_committed_and_nothing_that_was_aborted(shop: Shop) -> None:
    shop.write([as_record(action(number, f"c:{number}")) for number in range(3)])
    shop.write([as_record(action(99))], commit=False)
    shop.write([as_record(action(3))])
    found = shop.run("tail", "actions", "--json", "--from-beginning", "--limit", "4")
    assert found.exit_code == 0
    lines = [json.loads(line) for line in found.stdout.splitlines()]
    assert {line["value"]["action_id"] for line in lines} == {f"action-{number}" for number in range(4)}
    assert {line["type"] for line in lines} == {"pulpero.action.v1"}


def test_tail_into_a_pipe_is_a_line_a_record_with_tabs(shop: Shop) -> None:
    shop.write([as_record(action(1))])
    (line,) = shop.run("tail", "actions", "--from-beginning", "--limit", "1").stdout.splitlines()
    assert line.split("\t")[1:4] == ["abandonment.cart", "email", "c:42"]
    assert line.split("\t")[5] == "cart idle for 60 min"


def test_tail_ends_cleanly_with_ctrl_c(shop: Shop) -> None:
    shop.write([as_record(action(1))])
    program = "from streams.cli.main import main; main()"
    running = subprocess.Popen(
        [sys.executable, "-c", program, "tail", "actions", "--json", "--from-beginning"],
        env={**shop.environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert running.stdout is not None
    assert b"action-1" in running.stdout.readline()
    running.send_signal(signal.SIGINT)
    _, complaints = running.communicate(timeout=20)
    assert (running.returncode, complaints) == (0, b"")


def test_explain_tells_row_orders_and_why_by_key_or_any_identifier(shop: Shop) -> None:
    passed = GateOutcome(gate="consent", outcome="passed")
    capped = GateOutcome(gate="cap", outcome="suppressed", reason="cap_reached")
    stranger = decision(3, "fired", gate=passed, key="c:43")
    shop.write(
        [
            OutputRecord(changelog(shop.settings.app_id), b"c:42", pack(Customer(key="c:42"))),
            OutputRecord(changelog(shop.settings.app_id), b"c:42", pack(row())),
            *map(
                decided, (decision(1, "fired", gate=passed), decision(2, "suppressed", gate=capped), stranger)
            ),
            as_record(action(1)),
        ]
    )
    for name in ("c:42", "42", "7700", "l:7700", "visitor-9"):
        found = shop.run("explain", name, "--json")
        assert found.exit_code == 0, name
        story: dict[str, Any] = json.loads(found.stdout)
        assert story["row"]["orders"][0]["items"][0]["state"] == "backordered"
        assert [each["decision_id"] for each in story["decisions"]] == ["decision-1", "decision-2"]
        assert story["reasons"] == {"action-1": "cart idle for 60 min"}
    screen = shop.run("explain", "c:42", "--language", "es").stdout
    assert "Leche entera" in screen
    assert "carrito" in screen
    assert "cap_reached" in screen.replace("\n", "")


def test_explain_counts_from_stream_time_and_leaves_out_what_is_internal(shop: Shop) -> None:
    topic = changelog(shop.settings.app_id)
    known = row()
    known.timers = {"label:d-1": AT + 1, "held:churn_risk:c": AT + 2, "churn_risk:silence": AT + 3}
    passed = GateOutcome(gate="consent", outcome="passed")
    seen = (Condition(name="rhythm", value=None, met=False), Condition(name="is_new", value=False, met=True))
    told = decision(1, "fired", gate=passed).replace(conditions=seen)
    packed = pack_task_row(TaskRow(stream_time=AT + 5 * 86_400_000))
    shop.write([OutputRecord(topic, b"c:42", pack(known)), decided(told)])
    shop.write_task_row(packed)
    screen = shop.run("explain", "c:42").stdout
    assert "5 days ago" in screen
    assert "churn_risk:silence" in screen
    assert "label:" not in screen
    assert "held:" not in screen
    assert "rhythm = nothing, is_new = no" in screen


def test_resuming_all_ends_every_pause(shop: Shop) -> None:
    for button in (("pause", "--trigger", "abandonment"), ("pause",), ("resume",)):
        assert shop.run("actions", *button).exit_code == 0
    newest = {each.key: each.value for each in Reader(shop.settings.bootstrap, REFERENCE).read()}
    released = newest.pop(b"release/*")
    assert released is not None
    assert newest == {b"pause/abandonment": None, b"pause/*": None}


def test_explain_does_not_know_a_stranger_or_one_who_was_forgotten(shop: Shop) -> None:
    rows = changelog(shop.settings.app_id)
    shop.write([OutputRecord(rows, b"c:42", pack(row())), OutputRecord(rows, b"c:42", None)])
    for name in ("c:42", "7700", "nobody"):
        found = shop.run("explain", name)
        assert found.exit_code == 2
        assert found.stderr.strip() == f"{name}: no such customer"


def letter(name: str, offset: int, reason: ReasonCode = "wrong_partition", **changes: object) -> OutputRecord:
    value = json.loads((GOLDEN / f"{name}.json").read_text()) | {"event_id": f"e-{offset}"} | changes
    touchpoint = name.split("/")[0]
    return dead_letter(
        DeadLetter(
            origin=Origin(topic=f"touchpoints.{touchpoint}", partition=0, offset=offset, appended_at=AT),
            source=value["source"],
            event_id=value["event_id"],
            reason=reason,
            message="the key belongs elsewhere",
            key=b"wrong",
            value=json.dumps(value).encode(),
        )
    )


def test_redrive_sends_each_letter_once_to_its_topic_and_its_keys_partition(shop: Shop) -> None:
    shop.write(
        [letter("orders/order_placed", 1), letter("web/searched", 2), letter("web/searched", 3, "late")]
    )
    dry = shop.run("dlq", "redrive", "--reason", "wrong_partition", "--dry-run")
    assert "2 dead letters, 0 sent before, 2 would be sent" in dry.stdout
    assert "2 sent" in shop.run("dlq", "redrive", "--reason", "wrong_partition").stdout
    again = shop.run("dlq", "redrive", "--reason", "wrong_partition")
    assert "2 dead letters, 2 sent before, 0 sent" in again.stdout
    sent = Reader(shop.settings.bootstrap, "touchpoints.orders", "touchpoints.web").read()
    assert {(each.topic, each.json["event_id"]) for each in sent} == {
        ("touchpoints.orders", "e-1"),
        ("touchpoints.web", "e-2"),
    }
    for each in sent:
        assert each.key is not None
        assert each.key != b"wrong"
        assert each.partition == partition_of(each.key, shop.settings.partitions)
        assert dict(each.headers)["redriven_from"].startswith(DEAD_LETTERS.encode())


def test_redrive_takes_only_the_source_asked_for_and_leaves_the_others_for_later(shop: Shop) -> None:
    shop.write([letter("web/searched", number, source=f"shop-{number}") for number in range(3)])
    assert "1 sent" in shop.run("dlq", "redrive", "--reason", "wrong_partition", "--source", "shop-1").stdout
    assert (
        "3 dead letters, 1 sent before, 2 sent"
        in shop.run("dlq", "redrive", "--reason", "wrong_partition").stdout
    )


def test_what_the_contract_still_refuses_is_left_behind_until_it_is_mended(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.write(
        [letter("web/searched", 1, "unknown_type", type="dreamt"), letter("web/searched", 2, "unknown_type")]
    )
    for _ in range(2):
        found = shop.run("dlq", "redrive", "--reason", "unknown_type")
        assert "1 left behind: still unknown_type" in found.stdout
    assert "2 dead letters, 1 sent before, 0 sent" in found.stdout
    monkeypatch.setattr("streams.cli.dlq.Decoder.read", _understands_everything)
    found = shop.run("dlq", "redrive", "--reason", "unknown_type")
    assert "2 dead letters, 1 sent before, 1 sent" in found.stdout


def test_an_unknown_reason_is_nonsense(shop: Shop) -> None:
    found = shop.run("dlq", "redrive", "--reason", "boredom")
    assert found.exit_code == 2
    assert found.stderr.startswith("boredom: no such reason; one of ")


def _understands_everything(_: object, value: bytes) -> Any:
    said = json.loads(value)
    return msgspec.convert({name: said[name] for name in Event.__struct_fields__ if name in said}, Event)
