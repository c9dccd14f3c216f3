import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from schemas.touchpoints import BUILT_IN
from streams.local.adapters import adapter_of, jsonl
from streams.local.adapters.adapter import NotReadable, Options
from streams.local.replayed import Replayed
from streams.local.sources import of_files
from tests.unit.local.contract import assert_valid

UCI = """\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HANGING HEART,6,2011-06-01T08:26,2.55,17850,United Kingdom
536365,71053,LANTERN,2,2011-06-01T08:26,3.39,17850,United Kingdom
536365,71053,LANTERN,1,2011-06-01T08:27,3.39,17850,United Kingdom
536366,22633,HAND WARMER,6,2011-06-01T08:28,1.85,,United Kingdom
536367,84879,,32,2011-01-03T08:34,1.69,13047,Spain
C536400,85123A,WHITE HANGING HEART,-4,2011-06-02T10:00,2.55,17850,United Kingdom
C536401,85123A,WHITE HANGING HEART,-4,2011-06-02T11:00,2.55,17850,United Kingdom
C536402,D,Discount,-1,2011-06-02T12:00,27.5,17850,United Kingdom
"""
GMS_EVENTS = """\
user_id,ga_session_id,country,device,type,item_id,date
7,1,US,mobile,purchase,0,2020-12-01 10:00:00
7,1,US,mobile,add_to_cart,1,2020-12-01 10:00:00
7,1,US,mobile,add_to_cart,0,2020-12-01 10:00:00
7,1,US,mobile,begin_checkout,0,2020-12-01 10:00:00
7,1,US,mobile,begin_checkout,1,2020-12-01 10:00:00
3,9,ES,desktop,add_to_cart,1,2020-12-01 09:00:00
"""
GMS_ITEMS = """\
id,name,brand,variant,category,price_in_usd
0,Cap,Google,Single Option Only,Apparel,14
1,KeepCup,Google,Single Option Only,New,28
"""
TAOBAO = """\
user_id,item_id,category_id,behavior,timestamp
1,10,5,pv,1511658000
2,11,5,fav,1511658000
1,10,5,cart,1511658010
1,10,5,buy,1511658020
1,10,5,buy,1511658020
2,11,5,pv,15
"""
Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def zipped(name: str, text: str) -> Path:
        (tmp_path / name).write_bytes(gzip.compress(text.encode()))
        return tmp_path

    return zipped


def read(path: Path, options: Options = Options()) -> tuple[list[Replayed], Counter[str]]:  # noqa: B008
    skipped = Counter[str]()
    return list(of_files([path], options, skipped)), skipped


def told(events: Iterable[Replayed], *fields: str) -> list[tuple[Any, ...]]:
    return [tuple(e.payload.get(field) for field in fields) for e in events if e.touchpoint != "consent"]


@pytest.fixture
def uci(write: Write) -> Path:
    return write("online_retail.csv.gz", UCI)


@pytest.fixture
def gms(write: Write) -> Path:
    write("items.csv.gz", GMS_ITEMS)
    return write("events.csv.gz", GMS_EVENTS)


@pytest.fixture
def taobao(write: Write) -> Path:
    return write("user_behavior_2h.csv.gz", TAOBAO)


@pytest.mark.parametrize("name", ["uci", "gms", "taobao"])
def test_events_are_of_the_contract_in_time_order_with_unique_ids(
    name: str, request: pytest.FixtureRequest
) -> None:
    events, _ = read(request.getfixturevalue(name))
    assert events
    assert_valid(events)


@pytest.mark.parametrize("name", ["uci", "gms", "taobao"])
def test_the_same_file_gives_the_same_events_twice(name: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(name)
    assert read(path) == read(path)


def test_the_shipped_purchases_are_of_the_contract() -> None:
    events, skipped = read(Path("streams/local/data"))
    assert_valid(events)
    placed = [event for event in events if event.payload["type"] == "order_placed"]
    assert (len(placed), len({event.key for event in events}), skipped.total()) == (3277, 766, 0)


def test_an_invoice_is_an_order_of_its_lines_at_london_time(uci: Path) -> None:
    events, skipped = read(uci)
    (order,) = (event for event in events if event.payload["event_id"] == "uci-536365-placed")
    assert order.payload["event_time"] == "2011-06-01T07:26:00.000Z"
    assert [item["item_id"] for item in order.payload["items"]] == ["85123A", "71053", "71053-2"]
    assert order.payload["total"] == pytest.approx(6 * 2.55 + 3 * 3.39)
    assert skipped == {"lines without a customer": 1}


def test_a_cancellation_returns_pieces_of_the_order_that_still_has_them(uci: Path) -> None:
    events, _ = read(uci)
    cancelled = [event for event in events if "-C" in event.payload["event_id"]]
    assert told(cancelled, "type", "order_id", "item_id", "quantity", "amount") == [
        ("item_returned", "536365", "85123A", 4, None),
        ("order_refunded", "536365", None, None, 10.2),
        # Of the six pieces four are back already, so these four are of no known order.
        ("order_refunded", "C536401", None, None, 10.2),
        ("order_refunded", "C536402", None, None, 27.5),
    ]


def test_rows_of_one_second_are_one_event_and_adding_comes_before_buying(gms: Path) -> None:
    events, _ = read(gms)
    assert told(events, "customer_id", "type", "event_time") == [
        ("3", "product_added", "2020-12-01T09:00:00.000Z"),
        ("7", "product_added", "2020-12-01T10:00:00.000Z"),
        ("7", "checkout_started", "2020-12-01T10:00:00.001Z"),
        ("7", "order_placed", "2020-12-01T10:00:00.002Z"),
    ]
    added, checkout, order = (event.payload for event in events[-3:])
    assert added["product"]["name"] == "KeepCup"
    assert [product["product_id"] for product in checkout["products"]] == ["0", "1"]
    assert (checkout["value"], order["total"], order["currency"]) == (42.0, 14.0, "USD")


def test_behaviours_become_views_favourites_carts_and_orders(taobao: Path) -> None:
    events, skipped = read(taobao)
    assert told(events, "type", "name", "order_id") == [
        ("product_viewed", None, None),
        ("custom", "favourite", None),
        ("product_added", None, None),
        ("order_placed", None, "taobao-4"),
        ("order_placed", None, "taobao-5"),
    ]
    assert skipped == {"rows with a broken timestamp": 1}


@pytest.mark.parametrize("name", ["uci", "gms", "taobao"])
def test_consent_is_given_once_a_customer_before_all_else_and_says_who_made_it_up(
    name: str, request: pytest.FixtureRequest
) -> None:
    events, _ = read(request.getfixturevalue(name))
    seen: set[tuple[str, str]] = set()
    for event in events:
        if event.touchpoint == "consent":
            given = (event.key, event.payload["purpose"])
            assert given not in seen
            seen.add(given)
            assert event.payload["evidence"] == f"synthesised by adapter {name}: data without consent"
        else:
            assert {(event.key, "profiling"), (event.key, "marketing")} <= seen


def test_consent_is_only_given_for_the_purposes_asked_for(taobao: Path) -> None:
    purposes = {
        e.payload["purpose"] for e in read(taobao, Options(("profiling",)))[0] if e.touchpoint == "consent"
    }
    assert purposes == {"profiling"}
    assert all(event.touchpoint != "consent" for event in read(taobao, Options(()))[0])


def lines(tmp_path: Path, *said: object) -> Path:
    path = tmp_path / "events.jsonl"
    path.write_text("".join(f"{each if isinstance(each, str) else json.dumps(each)}\n" for each in said))
    return path


def test_json_lines_name_their_touchpoint_or_take_the_one_given(tmp_path: Path) -> None:
    event = {"event_time": "2026-01-01T00:00:00Z", "customer_id": "1"}
    path = lines(tmp_path, {"touchpoint": "orders", "event": event}, "", event)
    events, skipped = read(path, Options(touchpoint="web"))
    assert [(each.touchpoint, each.key, each.payload) for each in events] == [
        ("orders", "c:1", event),
        ("web", "c:1", event),
    ]
    assert skipped == {"empty lines": 1}


def test_a_bare_json_line_is_of_the_touchpoint_that_has_its_type(tmp_path: Path) -> None:
    event = {"event_time": "2026-01-01T00:00:00Z", "customer_id": "1", "type": "order_paid"}
    ((found,), _) = read(lines(tmp_path, event), Options(owners=jsonl.owners(BUILT_IN)))
    assert found.touchpoint == "orders"


def test_a_segment_line_has_its_key_and_time(tmp_path: Path) -> None:
    said = {"messageId": "m", "anonymousId": "x", "originalTimestamp": "2026-01-01T00:00:00Z", "type": "page"}
    ((event,), _) = read(lines(tmp_path, said), Options(touchpoint="web"))
    assert (event.key, event.at) == ("a:x", 1_767_225_600_000)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "Expecting"),
        ("[]", "not a JSON object"),
        ({"customer_id": "1", "event_time": "2026-01-01T00:00:00Z"}, "names no touchpoint"),
        ({"touchpoint": "web", "event": 5}, "the event is not a JSON object"),
        ({"touchpoint": "web", "event": {"event_time": "2026-01-01T00:00:00Z"}}, "no identifier"),
        ({"touchpoint": "web", "event": {"customer_id": "1"}}, "no time"),
        ({"touchpoint": "web", "event": {"customer_id": "1", "event_time": "2026-01-01"}}, "no offset"),
    ],
)
def test_a_line_that_cannot_be_replayed_is_named_with_its_reason(
    tmp_path: Path, line: object, reason: str
) -> None:
    good = {"touchpoint": "web", "event": {"customer_id": "1", "event_time": "2026-01-01T00:00:00Z"}}
    with pytest.raises(NotReadable, match=rf"events\.jsonl:2: .*{reason}"):
        read(lines(tmp_path, good, line))


def test_a_path_that_nobody_knows_is_refused_with_the_known_kinds(tmp_path: Path) -> None:
    with pytest.raises(NotReadable, match=r"none of the adapters .*uci, gms, taobao, jsonl"):
        adapter_of(tmp_path)
    with pytest.raises(NotReadable, match="no such file"):
        adapter_of(tmp_path / "missing.jsonl")
