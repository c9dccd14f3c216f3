"""The recorded mix, on data sets of a few rows."""

import gzip
from pathlib import Path

import orjson
import pytest
from rich.console import Console

from schemas.decoding import Decoder
from schemas.event import Event, Millis, happened_at
from schemas.touchpoints import load
from tests.bench import mix, recorded

HOUR = 3_600_000
TAOBAO = """user_id,item_id,category_id,behavior,timestamp
1,10,5,pv,1511658000
2,11,5,cart,1511658060
1,10,5,buy,1511661600
"""
GMS_ITEMS = "id,name,brand,variant,category,price_in_usd\n0,Cap,Google,Red,Apparel,14\n"
GMS_EVENTS = """user_id,ga_session_id,country,device,type,item_id,date
7,70,US,mobile,add_to_cart,0,2020-12-01 10:00:00
8,80,US,mobile,add_to_cart,0,2020-12-03 10:00:00
7,71,US,mobile,purchase,0,2020-12-01 13:00:00
"""
A_LAP = 6
"""Rows in both sets."""

Mix = list[tuple[str, bytes, bytes, Millis]]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with both data sets; nobody consents."""
    files = {
        "taobao_2h/user_behavior_2h.csv.gz": TAOBAO,
        "gms_ga4/events.csv.gz": GMS_EVENTS,
        "gms_ga4/items.csv.gz": GMS_ITEMS,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(gzip.compress(text.encode()))
    monkeypatch.setattr(recorded, "DATA", tmp_path)
    monkeypatch.setattr(recorded, "CONSENTING", 1 << 40)
    return tmp_path


def test_both_data_sets_flow_at_once_and_every_customer_keeps_their_own_pace(data: Path) -> None:
    made = recorded.recorded(2 * A_LAP, 0)

    assert _times(made, b"c:0-1") == [0, HOUR]
    assert _times(made, b"c:0-2") == [60_000]
    assert _times(made, b"c:0-7") == [0, 3 * HOUR + 2]  # their purchase comes in the second lap
    assert _times(made, b"c:0-8") == [HOUR]
    assert _times(made, b"c:1-1") == [2 * HOUR, 3 * HOUR]


def test_a_longer_mix_begins_like_a_shorter_one_and_stays_in_time_order(data: Path) -> None:
    made = recorded.recorded(10 * A_LAP)

    assert made[: 2 * A_LAP] == recorded.recorded(2 * A_LAP)
    assert [at for *_, at in made] == sorted(at for *_, at in made)


def test_every_lap_has_events_orders_and_customers_of_its_own(data: Path) -> None:
    events = [orjson.loads(value) for _, _, value, _ in recorded.recorded(10 * A_LAP)]

    for name in ("event_id", "order_id"):
        ids = [event[name] for event in events if name in event]
        assert len(ids) == len(set(ids)) > 10
    assert {event["customer_id"].split("-")[0] for event in events} >= {str(lap) for lap in range(9)}


def test_every_event_is_one_of_the_contract_and_says_its_own_time(data: Path) -> None:
    decoders = {each.name: Decoder(each, 1 << 18) for each in load()}
    for touchpoint, key, value, at in recorded.recorded(3 * A_LAP):
        event = decoders[touchpoint].decode(key, value)
        assert isinstance(event, Event)
        assert happened_at(event, at + HOUR) == at


def test_who_consents_does_so_once_for_each_purpose_on_arrival(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "CONSENTING", 1)
    first = [each for each in recorded.recorded(4 * A_LAP) if each[1].startswith(b"c:0-")]

    for key in {key for _, key, _, _ in first}:
        assert [each[0] for each in first if each[1] == key][:3] == ["consent", "consent", "web"]
    assert sum(touchpoint == "consent" for touchpoint, *_ in first) == 2 * 4


@pytest.mark.parametrize("wanted", [None, "recorded", "simulated"])
def test_missing_data_are_said_loudly_and_never_pass_for_recorded_ones(
    wanted: mix.Name | None, data: Path
) -> None:
    assert _chosen(wanted) == ("simulated" if wanted == "simulated" else "recorded", "")
    (data / "gms_ga4" / "events.csv.gz").unlink()

    if wanted == "recorded":
        with pytest.raises(FileNotFoundError, match="gms_ga4"):
            _chosen(wanted)
        return
    chosen, said = _chosen(wanted)
    assert chosen == "simulated"
    assert ("SIMULATED" in said and "gms_ga4" in said) == (wanted is None)
    with pytest.raises(FileNotFoundError, match="gms_ga4"):
        recorded.recorded(1)


def _chosen(wanted: mix.Name | None) -> tuple[str, str]:
    console = Console(width=400)
    with console.capture() as captured:
        chosen = mix.choose(wanted, console)
    return chosen, captured.get()


def _times(made: Mix, key: bytes) -> list[Millis]:
    return [at for _, each, _, at in made if each == key]
