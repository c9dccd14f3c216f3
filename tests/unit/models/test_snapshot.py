"""Snapshots: checked data in chunks, the manifest last; what does not fit is refused with its reason."""

import json
import math
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from models.learner import Learner, Learning
from models.model import Model
from models.parameters import exported
from models.snapshot import (
    Record,
    Snapshot,
    SnapshotReader,
    SnapshotRefusedError,
    to_records,
)
from tests.unit.models.builders import TINY, examples, newest

POSITION = {0: 12, 5: 3}


def snapshot(n: int = 40, model: Model = TINY) -> Snapshot:
    learning = Learning(model)
    for each in examples(n, model):
        learning.learn(each)
    return learning.snapshot(POSITION)


def small(n: int = 40) -> list[Record]:
    """The records of a snapshot in chunks small enough that there are several."""
    records = to_records(snapshot(n), chunk_bytes=512)
    assert len(records) > 3
    return records


def test_what_is_written_is_read() -> None:
    assert newest(small()) == {"tiny": snapshot()}


def test_the_manifest_comes_last_and_chunks_are_bounded() -> None:
    records = small()
    assert [key for key, _ in records] == [*(f"tiny/{n}" for n in range(len(records) - 1)), "tiny/manifest"]
    assert max(len(value) for _, value in records[:-1]) <= 512


def test_a_missing_chunk_keeps_the_snapshot_from_being_loaded() -> None:
    records = small()
    for missing in range(len(records)):
        assert newest(records[:missing] + records[missing + 1 :]) == {}


def test_chunks_of_a_newer_snapshot_without_its_manifest_change_nothing() -> None:
    assert newest(small() + small(41)[:-1]) == {"tiny": snapshot()}


def test_the_newest_complete_snapshot_counts() -> None:
    compacted = small()[2:]  # compaction took the first chunks of the older one
    assert newest(small(39) + compacted + small(41)) == {"tiny": snapshot(41)}
    assert newest(compacted + small(41)) == {"tiny": snapshot(41)}


def test_a_deleted_snapshot_is_passed_over() -> None:
    records: list[tuple[str, bytes | None]] = [(key, None) for key, _ in small()]
    assert newest(records) == {}


def test_a_changed_byte_is_refused() -> None:
    records = small()
    key, value = records[1]
    records[1] = (key, bytes([value[0] ^ 1]) + value[1:])
    with pytest.raises(SnapshotRefusedError, match="do not match the hash"):
        newest(records)


def test_mixed_chunks_are_refused() -> None:
    with pytest.raises(SnapshotRefusedError, match="do not match the hash"):
        newest([small(39)[0], *small()[1:]])


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("format", 2, "snapshot format 2"),
        ("model", "other", "speaks of"),
        ("chunks", 0, "speaks of 0"),
        ("chunks", 10_000, "speaks of 10000"),
        ("version", 41, "is of tiny 40"),
        ("extra", 1, "cannot be read"),
    ],
)
def test_a_false_manifest_is_refused(field: str, value: object, reason: str) -> None:
    *chunks, (key, manifest) = small()
    false = json.dumps(json.loads(manifest) | {field: value}).encode()
    with pytest.raises(SnapshotRefusedError, match=reason):
        newest([*chunks, (key, false)])


def test_a_manifest_that_is_no_json_is_refused() -> None:
    with pytest.raises(SnapshotRefusedError, match="cannot be read"):
        newest([("tiny/manifest", b"\x80\x04.")])


@pytest.mark.parametrize("key", ["tiny", "tiny/", "/0", "tiny/-1", "tiny/64", "tiny/x", ""])
def test_a_key_that_makes_no_sense_is_refused(key: str) -> None:
    with pytest.raises(SnapshotRefusedError, match="no key"):
        SnapshotReader().feed(key, b"")


def test_a_pickle_is_data_that_cannot_be_read() -> None:
    import hashlib
    import pickle

    payload = pickle.dumps(snapshot())
    manifest = json.loads(small()[-1][1]) | {
        "chunks": 1,
        "size": len(payload),
        "sha256": hashlib.sha256(payload).hexdigest(),
    }
    with pytest.raises(SnapshotRefusedError, match="cannot be read"):
        newest([("tiny/0", payload), ("tiny/manifest", json.dumps(manifest).encode())])


def test_parameters_and_features_must_be_as_many() -> None:
    short = msgspec.structs.replace(snapshot(), features=("a", "b"))
    with pytest.raises(SnapshotRefusedError, match="differ in number"):
        newest(to_records(short))


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": [math.nan, 0.0, 0.0]},
        {"means": [0.0, math.inf, 0.0]},
        {"intercept": -math.inf},
        {"variances": [1.0, 1.0, -1e-9]},
        {"variances": [math.nan, 1.0, 1.0]},
        {"squared_gradients": [-1.0, 0.0, 0.0]},
        {"counts": [3, -1, 3]},
        {"iterations": -1},
        {"scored": [(True, 1.5)]},
        {"decided": [(False, math.nan)]},
        {"next_offsets": {0: -1}},
        {"version": -1},
    ],
)
def test_numbers_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    good = snapshot()
    whole = {name: value for name, value in changes.items() if name in Snapshot.__struct_fields__}
    learned = {name: value for name, value in changes.items() if name not in whole}
    parameters = msgspec.structs.replace(good.parameters, **learned)
    senseless = msgspec.structs.replace(good, parameters=parameters, **whole)
    with pytest.raises(SnapshotRefusedError, match="no learning leaves behind"):
        newest(to_records(senseless))


def test_another_river_is_refused_for_learning() -> None:
    foreign = msgspec.structs.replace(snapshot(), river="0.1.0")
    with pytest.raises(SnapshotRefusedError, match=r"River 0\.1\.0"):
        Learner([TINY]).restore({"tiny": foreign})


@pytest.mark.parametrize("features", [("a", "b", "d"), ("b", "a", "c")])
def test_other_features_are_refused_for_learning(features: tuple[str, ...]) -> None:
    with pytest.raises(SnapshotRefusedError, match="features are not this version's"):
        Learner([replace(TINY, features=features)]).restore({"tiny": snapshot()})


def test_only_the_allowed_pipeline_can_be_exported() -> None:
    from river import linear_model, preprocessing

    with pytest.raises(TypeError, match="only scaler"):
        exported(TINY, preprocessing.MinMaxScaler() | linear_model.LogisticRegression())
