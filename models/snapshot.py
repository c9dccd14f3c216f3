"""What the learner publishes of a model: plain, checked data, cut into the records of the topic `models`.

A snapshot is msgpack of the types below and nothing else: reading one never runs code that came with it.
Its records are chunks `<model>/<number>` and then `<model>/manifest`, which names their number, length
and SHA-256.
"""

import hashlib
import math
from collections.abc import Mapping

import msgspec
from river.__version__ import __version__ as RIVER

from models.model import Model
from models.parameters import Parameters

FORMAT = 1
CHUNK_BYTES = 512 * 1_024
MAX_CHUNKS = 64

Record = tuple[str, bytes]


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A model after `version` examples; equal examples make equal bytes.

    `next_offsets` is how far the merged examples were read, by partition; one that is not named was not read yet.
    `scored` are the last predictions made just before learning, with outcomes; `decided` those that decisions
    had used. `taught` are 8-byte hashes of the last examples' ids, oldest first.
    """

    model: str
    version: int
    features: tuple[str, ...]
    river: str
    next_offsets: dict[int, int]
    parameters: Parameters
    scored: list[tuple[bool, float]]
    decided: list[tuple[bool, float]]
    taught: bytes


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the chunks must add up to."""

    format: int
    model: str
    version: int
    chunks: int
    size: int
    sha256: str


class SnapshotRefusedError(ValueError):
    """A snapshot that must not be used; the message says why and what to do."""


class NewerSnapshotError(SnapshotRefusedError):
    """A newer version wrote the snapshot: this one must not learn anew and write over it."""


class _Format(msgspec.Struct):
    """What every manifest says, whatever else newer ones have."""

    format: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Snapshot).decode
_decode_format = msgspec.json.Decoder(_Format).decode
_decode_manifest = msgspec.json.Decoder(Manifest).decode


def to_records(snapshot: Snapshot, chunk_bytes: int = CHUNK_BYTES) -> list[Record]:
    """Keys and values for the compacted topic, in the order to write them: the manifest last."""
    offsets = dict(sorted(snapshot.next_offsets.items()))
    payload = _encode(msgspec.structs.replace(snapshot, next_offsets=offsets))
    chunks = [payload[start : start + chunk_bytes] for start in range(0, len(payload), chunk_bytes)]
    manifest = Manifest(
        format=FORMAT,
        model=snapshot.model,
        version=snapshot.version,
        chunks=len(chunks),
        size=len(payload),
        sha256=hashlib.sha256(payload).hexdigest(),
    )
    numbered = [(f"{snapshot.model}/{number}", chunk) for number, chunk in enumerate(chunks)]
    return [*numbered, (f"{snapshot.model}/manifest", msgspec.json.encode(manifest))]


class SnapshotReader:
    """Puts snapshots together from the topic's records, read in the order of the log."""

    def __init__(self) -> None:
        self._chunks: dict[str, dict[int, bytes]] = {}

    def feed(self, key: str, value: bytes | None) -> Snapshot | None:
        """Take one record; the snapshot if this was the manifest that completes one, else None.

        An incomplete set (compaction took the chunks of an older snapshot) is passed over. Raises
        SnapshotRefusedError for a key or manifest that makes no sense and for chunks that do not match.
        """
        model, _, part = key.rpartition("/")
        if part != "manifest":
            self._keep(model, part, value)
            return None
        chunks = self._chunks.pop(model, {})
        if value is None:
            return None
        manifest = _manifest(model, value)
        if any(number not in chunks for number in range(manifest.chunks)):
            return None
        return _checked(manifest, b"".join(chunks[number] for number in range(manifest.chunks)))

    def _keep(self, model: str, part: str, value: bytes | None) -> None:
        if not (model and part.isascii() and part.isdecimal() and int(part) < MAX_CHUNKS):
            raise SnapshotRefusedError(f"no key of a snapshot: {model}/{part}")
        chunks = self._chunks.setdefault(model, {})
        if value is None:
            chunks.pop(int(part), None)
        else:
            chunks[int(part)] = value


def check_features(snapshot: Snapshot, model: Model) -> None:
    """Raise SnapshotRefusedError unless the snapshot is of exactly this model's features."""
    if snapshot.model != model.name:
        raise SnapshotRefusedError(f"a snapshot of {snapshot.model} was offered to {model.name}")
    if snapshot.features != model.features:
        odd = sorted(set(snapshot.features) ^ set(model.features)) or ["their order"]
        raise SnapshotRefusedError(
            f"{model.name}: the snapshot's features are not this version's (different: {', '.join(odd)}); "
            "run the version that wrote it, or learn anew from the topic examples"
        )


def check_river(snapshot: Snapshot) -> None:
    """Raise SnapshotRefusedError unless this River wrote it: only then does learning go on bit for bit."""
    if snapshot.river != RIVER:
        raise SnapshotRefusedError(
            f"{snapshot.model}: the snapshot was learned with River {snapshot.river}, this is River "
            f"{RIVER}; install that one, or learn anew from the topic examples"
        )


def next_offsets(snapshots: Mapping[str, Snapshot]) -> dict[int, int]:
    """Where all the snapshots stand, by partition; nowhere yet if there is none.

    Raises SnapshotRefusedError if they differ: they are published in one transaction, so some are missing.
    """
    offsets = [snapshot.next_offsets for snapshot in snapshots.values()]
    if any(each != offsets[0] for each in offsets):
        names = ", ".join(sorted(snapshots))
        raise SnapshotRefusedError(f"the snapshots of {names} stand at different offsets")
    return dict(offsets[0]) if offsets else {}


def _manifest(model: str, value: bytes) -> Manifest:
    try:
        written = _decode_format(value).format
        if written > FORMAT:
            raise NewerSnapshotError(f"{model}: snapshot format {written}, this version reads {FORMAT}")
        manifest = _decode_manifest(value)
    except msgspec.MsgspecError as error:
        raise SnapshotRefusedError(f"{model}: its manifest cannot be read: {error}") from error
    if manifest.format != FORMAT:
        raise SnapshotRefusedError(f"{model}: snapshot format {manifest.format}, this version reads {FORMAT}")
    if manifest.model != model or not 0 < manifest.chunks <= MAX_CHUNKS:
        raise SnapshotRefusedError(f"{model}: its manifest speaks of {manifest.chunks} of {manifest.model}")
    return manifest


def _checked(manifest: Manifest, payload: bytes) -> Snapshot:
    name = manifest.model
    if len(payload) != manifest.size or hashlib.sha256(payload).hexdigest() != manifest.sha256:
        raise SnapshotRefusedError(f"{name}: the snapshot's bytes do not match the hash in its manifest")
    try:
        snapshot = _decode(payload)
    except msgspec.MsgspecError as error:
        raise SnapshotRefusedError(f"{name}: the snapshot cannot be read: {error}") from error
    if (snapshot.model, snapshot.version) != (name, manifest.version):
        raise SnapshotRefusedError(f"{name}: the snapshot is of {snapshot.model} {snapshot.version}")
    lengths = {len(column) for column in msgspec.structs.astuple(snapshot.parameters)[:5]}
    if lengths != {len(snapshot.features)} or len(snapshot.taught) % 8:
        raise SnapshotRefusedError(f"{name}: the snapshot's parameters and features differ in number")
    if not _makes_sense(snapshot):
        raise SnapshotRefusedError(f"{name}: the snapshot holds numbers that no learning leaves behind")
    return snapshot


def _makes_sense(snapshot: Snapshot) -> bool:
    """Whether every number is finite, what counts or is squared not negative, and a probability one."""
    learned = snapshot.parameters
    never_negative = (
        *(
            snapshot.version,
            learned.iterations,
            *snapshot.next_offsets.keys(),
            *snapshot.next_offsets.values(),
        ),
        *(*learned.counts, *learned.variances, *learned.squared_gradients),
    )
    numbers = (*never_negative, *learned.means, *learned.weights, learned.intercept)
    return (
        all(map(math.isfinite, numbers))
        and min(never_negative) >= 0
        and all(0.0 <= p <= 1.0 for _, p in (*snapshot.scored, *snapshot.decided))
    )
